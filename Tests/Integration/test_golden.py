"""An executor of an earlier day and today's take over each other's tasks."""

import os

from support import DockerTestCase, ExecutorTestCase, document
from support.executor import binary
from support.images import busybox_image
from support.needs import golden_executor
from test_host_changed import PROCESSES, WORD, GoesOn


class TakeOver(GoesOn):
    def handed_on(self, first, second):
        self.addCleanup(os.environ.__setitem__, "AURORA_BINARY", binary())
        os.environ["AURORA_BINARY"] = first

        def change(_task):
            os.environ["AURORA_BINARY"] = second
        self.goes_on(self.start, change)

    def test_todays_goes_on_with_a_task_of_the_older_one(self):
        self.handed_on(golden_executor(), binary())

    def test_the_older_one_goes_on_with_todays_task(self):
        self.handed_on(binary(), golden_executor())


class Native(TakeOver, ExecutorTestCase):
    def start(self):
        image = self.host.import_image(busybox_image(config=WORD))
        return self.start_task(document(*PROCESSES, image=image))


class Docker(TakeOver, DockerTestCase):
    def start(self):
        return self.start_docker(*PROCESSES, image=self.engine.load(busybox_image(config=WORD)))
