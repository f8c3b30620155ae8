# Oakland 3-D. The folder comes from the environment variable NLZ_OAKLAND.
_base_ = './clouds.py'
data_root = '{{$NLZ_OAKLAND:data/oakland3d}}'
train_dataloader = dict(
    dataset=dict(type='OaklandDataset', data_root=data_root, split='train'))
val_dataloader = dict(dataset=dict(type='OaklandDataset', data_root=data_root, split='val'))
test_dataloader = dict(dataset=dict(type='OaklandDataset', data_root=data_root, split='test'))
