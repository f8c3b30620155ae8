# Pictures in images/ with boxes, or masks too, in annotations/{train,val,test}.json as COCO has
# them. Training sees crops, validation and test whole pictures.
_base_ = './loaders.py'
train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    dataset=dict(
        type='CocoDataset',
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/')))
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type='CocoDataset',
        ann_file='annotations/val.json',
        data_prefix=dict(img='images/'),
        test_mode=True))
test_dataloader = dict(
    val_dataloader, dataset=dict(val_dataloader['dataset'], ann_file='annotations/test.json'))
