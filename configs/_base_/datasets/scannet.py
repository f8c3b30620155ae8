# ScanNet as PointNet++ published it; the folder comes from the environment variable NLZ_SCANNET.
# There is no val set, as in the papers: what is scored while training is the test set.
_base_ = './clouds.py'
data_root = '{{$NLZ_SCANNET:data/scannet}}'
train_dataloader = dict(
    batch_size=16,  # a GPU, of 4
    num_workers=4,
    dataset=dict(type='ScanNetDataset', data_root=data_root, split='train'))
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    dataset=dict(type='ScanNetDataset', data_root=data_root, split='test'))
test_dataloader = val_dataloader
