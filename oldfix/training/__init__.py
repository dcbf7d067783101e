"""Training: a time-boxed loop, photographs to cut crops from, and what authors supply.

A network's author writes a `Task` and a ``train(request)`` function that ends in `fit`::

    def train(request: TrainRequest) -> Path:
        task = MyTask(PhotoPool.read(request.data))
        net = fit(task, Settings(batch=16), request)
        ...

Nothing here prints; figures go into CSV files in the output folder and to the logger
"oldfix.training".
"""

from oldfix.training.adversarial import judged_by
from oldfix.training.companion import best_installed, installed, installed_network, start_from
from oldfix.training.loop import fit
from oldfix.training.losses import charbonnier
from oldfix.training.pack import pack
from oldfix.training.pool import PhotoPool
from oldfix.training.publish import publish
from oldfix.training.recipes import Phase, TrainingRecipe, read_recipe
from oldfix.training.samples import stacked
from oldfix.training.settings import Settings, Task, TrainRequest

__all__ = [
    "Phase",
    "PhotoPool",
    "Settings",
    "Task",
    "TrainRequest",
    "TrainingRecipe",
    "best_installed",
    "charbonnier",
    "fit",
    "installed",
    "installed_network",
    "judged_by",
    "pack",
    "publish",
    "read_recipe",
    "stacked",
    "start_from",
]
