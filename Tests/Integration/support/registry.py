"""A registry of the tests' own: Debian's docker-registry on loopback, in plain HTTP or with TLS, with users or without."""

import os
import shutil
import socket
import subprocess
import tempfile

from .executor import wait_until
from .needs import need_command

_PARENT = os.environ.get("AURORA_TEST_DIR", "/var/tmp")
USER, PASSWORD = "tester", "s3cret"


class Registry:
    """A docker-registry, from start to stop, that lets in nobody but one user, or everybody.

    `tls` is a certificate and its key.
    """

    def __init__(self, users=True, tls=None):
        for command in ("docker-registry", "htpasswd", "skopeo"):
            need_command(command)
        self.directory = tempfile.mkdtemp(prefix="aurora-registry-", dir=_PARENT)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        accounts = subprocess.run(["htpasswd", "-Bbn", USER, PASSWORD], check=True, stdout=subprocess.PIPE).stdout
        with open(self.directory + "/users", "wb") as file:
            file.write(accounts)
        with open(self.directory + "/config.yml", "w", encoding="ascii") as file:
            file.write(f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {self.directory}/data\n"
                       f"http:\n  addr: {self.address}\n")
            if tls:
                file.write(f"  tls:\n    certificate: {tls[0]}\n    key: {tls[1]}\n")
            if users:
                file.write(f"auth:\n  htpasswd:\n    realm: test\n    path: {self.directory}/users\n")
        log = open(self.directory + "/log", "ab")
        self.process = subprocess.Popen(
            ["docker-registry", "serve", self.directory + "/config.yml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        wait_until(self._answers, "the registry answers")

    def _answers(self):
        host, port = self.address.split(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
            return True
        except OSError:
            return False

    def push(self, image, name):
        """Pushes an image; returns its reference and the digest of its manifest."""
        archive = os.path.join(self.directory, "image.tar")
        image.docker_archive(archive)
        digest = os.path.join(self.directory, "digest")
        subprocess.run(
            ["skopeo", "copy", "--quiet", "--insecure-policy", "--digestfile", digest, "--dest-tls-verify=false",
             f"--dest-creds={USER}:{PASSWORD}", "docker-archive:" + archive, f"docker://{self.address}/{name}"],
            check=True, stdout=subprocess.DEVNULL)
        os.unlink(archive)
        with open(digest, encoding="ascii") as file:
            return f"{self.address}/{name}", file.read().strip()

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
