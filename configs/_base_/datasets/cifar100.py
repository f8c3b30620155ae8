# CIFAR-100 with its 100 fine classes; the folder comes from NLZ_CIFAR100.
_base_ = './cifar10.py'

data_root = '{{$NLZ_CIFAR100:data/cifar100}}'

train_dataloader = dict(dataset=dict(data_root=data_root, num_classes=100))
val_dataloader = dict(dataset=dict(data_root=data_root, num_classes=100))
test_dataloader = dict(dataset=dict(data_root=data_root, num_classes=100))
