# The official code gives every block of its CIFAR experiment SNL's own affinity, symmetric and
# normalised, whatever the command line says. Each block as published, then what runs there under
# its name: "nl" and "a2" are then one network. The official dnl adds a unary term to it.
_base_ = './compare_preresnet20_cifar10.py'
compare = dict(blocks=[
    'snl',
    'nl',
    'a2',
    'snl,filter=adjacency',  # official nl, official a2
    'ns',
    'snl,filter=laplacian',  # official ns
])
