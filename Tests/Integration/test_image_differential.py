"""Images beside those that umoci and Docker make of the same archives.

AURORA_DIFFERENTIAL_ROUNDS says how many images are compared (`scripts/differential ROUNDS`), AURORA_DIFFERENTIAL_SEED the first one.
What is listed here as a disagreement is in docs/images.md, with its reason; any other one fails.
"""

import collections
import os
import random
import time

from support import DockerTestCase, ExecutorTestCase, archives, need_command, peculiar, two_ways, unpackers

ROUNDS = int(os.environ.get("AURORA_DIFFERENTIAL_ROUNDS", "6"))
SEED = int(os.environ.get("AURORA_DIFFERENTIAL_SEED", "1"))
CASES = 200
# What is seen in the images of the default run.
_LISTED = {
    ("umoci", "device"), ("umoci", "touched"), ("umoci", "deepened"), ("docker", "device"), ("docker", "touched"),
    ("docker", "implicit mode"), ("docker", "copied links"), ("docker", "copied attributes"), ("docker", "capability of a hard link"),
}


class Differential(DockerTestCase):
    SECONDS = 240 + 60 * ROUNDS

    def setUp(self):
        need_command("umoci")
        super().setUp()
        # This driver unpacks every layer onto what lies below it, and keeps the result as plain files.
        self.own_engine("--storage-driver=vfs")

    def test_archives_of_all_builders_are_unpacked_alike(self):
        used, compared = collections.Counter(), 0
        began = time.monotonic()
        for seed in range(SEED, SEED + ROUNDS):
            rng = random.Random(seed)
            layers, cases = archives.image(rng, CASES, rng.randrange(1, 5))
            start = time.time_ns() - 1_000_000_000
            found = unpackers.all_of_them(self.host, self.engine, unpackers.image_of(layers, "case/differential:1"))
            for tool, outcome in found.items():
                self.assertNotIsInstance(outcome, unpackers.Refused, f"seed {seed}: {tool}: {outcome}")
            compared += len(found["ours"])
            for tool in ("umoci", "docker"):
                for path, key, here, there in unpackers.differences(found["ours"], found[tool]):
                    names = path.split(b"/")
                    node = cases[int(names[0][1:])].find(names[1:])
                    reason = self.listed(tool, key, here, there, node, len(layers) - 1, start, path)
                    self.assertIsNotNone(reason, f"seed {seed}: {path} is not as {tool} has it: {key} {here!r}, there {there!r}")
                    used[tool, reason] += 1
        print(f"\n{ROUNDS} images, {ROUNDS * CASES} cases, {compared} paths, {time.monotonic() - began:.0f} s", dict(used))
        if ROUNDS >= 6:
            self.assertEqual(_LISTED - set(used), set(), "listed disagreements that there are no more")

    @staticmethod
    def listed(tool, key, here, there, node, top, start, path):
        """Which listed disagreement this is."""
        kind = node.kind if node is not None else None
        if kind == "device":
            # A container has a /dev of its own.
            return "device" if (key, here, there) == ("presence", None, "device") else None
        if kind is None:
            return None
        if kind != "directory":
            if tool == "docker" and key == "names" and kind != "file" and node.born < top and path in there and set(there) < set(here):
                # The driver's copy of the layers below keeps hard links of files alone.
                return "copied links"
            if tool == "docker" and key == "xattrs":
                # The same copy drops attributes of users; and setting the owner by a hard link's header drops capabilities.
                kept = {name: value for name, value in here.items() if name == "security.capability" or node.born == top}
                if there == kept:
                    return "copied attributes"
                if node.has_names and there == {name: value for name, value in kept.items() if name != "security.capability"}:
                    return "capability of a hard link"
            return None
        if key == "time" and node.is_touched and there > start:
            # Making a file changes its directory. Both give it its time only where it has an entry in the layer; umoci also to the
            # one directory above each entry.
            return "touched"
        if tool == "umoci" and key == "time" and node.is_deepened and there > start:
            return "deepened"
        if tool == "docker" and key == "xattrs" and node.layer < top and there == {}:
            return "copied attributes"
        if tool == "docker" and key == "xattrs" and node.had_xattrs and here == {}:
            # An entry for a directory that is there adds attributes, and takes none away.
            return "kept attributes"
        if node.is_listed:
            return None
        if key == "time" and here > start and there > start:
            return "implicit time"
        if tool == "docker" and (key, here, there) == ("mode", 0o755, 0o600):
            return "implicit mode"
        return None

    def test_what_tools_do_not_agree_on_is_as_it_is_listed(self):
        for name, (layers, verdict, disagreements) in peculiar.CASES.items():
            with self.subTest(name):
                start = time.time_ns() - 1_000_000_000
                found = unpackers.all_of_them(self.host, self.engine, unpackers.image_of(layers, "case/peculiar:1"))
                taken = {tool: not isinstance(outcome, unpackers.Refused) for tool, outcome in found.items()}
                self.assertEqual("".join("y" if is_taken else "n" for is_taken in taken.values()), verdict, found)
                for tool in ("umoci", "docker"):
                    if not (taken["ours"] and taken[tool]):
                        continue
                    told = []
                    for path, key, here, there in unpackers.differences(found["ours"], found[tool]):
                        here, there = (peculiar.NOW if key == "time" and value and value > start else value for value in (here, there))
                        if here != there:
                            told.append((path, key, here, there))
                    self.assertEqual(told, disagreements.get(tool, []), tool)


class TwoWays(ExecutorTestCase):
    SECONDS = 60 + 10 * ROUNDS

    def setUp(self):
        need_command("umoci")
        super().setUp()

    def test_what_is_reached_through_a_lower_link_and_by_its_own_name_is_what_comes_last(self):
        for seed in range(SEED, SEED + max(2, ROUNDS // 2)):
            # What a directory without an entry is like is another thing when it is emptied behind what is put into it.
            deletes_first = seed % 2 == 0
            image = unpackers.image_of(two_ways.image(random.Random(seed), 100, deletes_first), "case/two-ways:1")
            found = unpackers.ours(self.host, image), unpackers.umoci(self.host, image)
            told = [
                (path, key, here, there) for path, key, here, there in unpackers.differences(*found)
                if not (found[0].get(path, {}).get("type") == "directory" and (key == "time" or key == "mode" and not deletes_first))]
            self.assertEqual(told, [], f"seed {seed}")
