# For tools/compare.py: about three minutes a cell on one CPU core, after the first of all.
_base_ = './none_efficientnet-lite0_camvid.py'
compare = dict(
    places=['model.decode_head.block'],
    metric='mIoU',
    pictures=[0, 60, 120, 180],
    blocks=['nl', 'ns', 'a2', 'cgnl', 'cc', 'snl', 'dnl', 'anl', 'gc', 'ema', 'danet', 'glore',
            'latentgnn'])

default_hooks = dict(
    checkpoint=dict(interval=400, max_keep_ckpts=1, save_best=None),
    logger=dict(interval=20),
    visualization=dict(draw=False))
test_evaluator = dict(type='ClassIoUMetric')
