"""A sampler for mmdet that draws nothing."""

from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.registry import TASK_UTILS


@TASK_UTILS.register_module()
class FirstSampler(RandomSampler):
    """The first ones of those that could be drawn."""

    def random_choice(self, gallery, num):
        return gallery[:num]
