# For tools/compare.py: the paper's schedule, on four GPUs. The SNL paper's blocks are
# nl ns a2 cgnl cc snl; beside them dnl anl latentgnn.
_base_ = './fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py'
compare = dict(places=['model.decode_head.block'], metric='mIoU', pictures=[0, 125, 250, 375])

default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best=None), visualization=dict(draw=False))
test_evaluator = dict(type='ClassIoUMetric')
