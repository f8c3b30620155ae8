# The official code gives every block of its CIFAR experiment SNL's own affinity, symmetric and
# normalised, whatever the command line says. Each block as published, then what runs there under
# its name: "nl" and "a2" are then one network. The official dnl adds a unary term, under the
# same weight; here it has a weight of its own.
_base_ = './compare_preresnet20_cifar10.py'
compare = dict(blocks=[
    'snl',
    'nl',
    'a2',
    'snl,filter=adjacency',  # official nl, official a2
    'ns',
    'snl,filter=laplacian',  # official ns
    'dnl',
    'snl,filter=adjacency,affinity='
    '[{type: relu_dot, symmetrize: true, normalize: sym}, global_pooling]',  # official dnl
])
