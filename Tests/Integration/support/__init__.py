"""What the integration tests share: running the executor, building images, and seeing that nothing stays behind."""

from .case import ExecutorTestCase
from .documents import document, job, process
from .images import Image, Layer, busybox_image
from .needs import need, need_command, need_controller, need_root
from .tar import TarWriter

__all__ = [
    "ExecutorTestCase", "Image", "Layer", "TarWriter", "busybox_image", "document", "job", "need", "need_command",
    "need_controller", "need_root", "process",
]
