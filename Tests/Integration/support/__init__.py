"""What the integration tests share: running the executor, building images, and seeing that nothing stays behind."""

from .case import ExecutorTestCase
from .documents import document, job, process
from .engine import DockerTestCase, in_docker
from .images import Image, Layer, busybox_image
from .machine import Machine
from .needs import need, need_command, need_controller, need_root
from .tar import TarWriter

__all__ = [
    "DockerTestCase", "ExecutorTestCase", "Image", "Layer", "Machine", "TarWriter", "busybox_image", "document", "in_docker", "job", "need", "need_command",
    "need_controller", "need_root", "process",
]
