# Oakland 3-D. The folder comes from the environment variable NLZ_OAKLAND.
_base_ = './clouds.py'
data_root = '{{$NLZ_OAKLAND:data/oakland3d}}'
column, points = 6, 2048
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        type='OaklandDataset', data_root=data_root, split='train', column=column, points=points))
val_dataloader = dict(
    dataset=dict(
        type='OaklandDataset', data_root=data_root, split='val', column=column, points=points))
test_dataloader = dict(
    dataset=dict(
        type='OaklandDataset', data_root=data_root, split='test', column=column, points=points))
