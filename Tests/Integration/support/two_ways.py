"""Layers that reach places both through links of a lower layer and by their own names, at random, as no builder writes them."""

from .archives import Tar

# The ways to one directory, the last one by its own name.
_WAYS = (b"lib", b"again", b"usr/here/lib", b"usr/lib")
_FILES = (b"foo", b"new", b"x/old", b"x/mine", b"y/deep/old", b"y/deep/mine")
_DIRECTORIES = (b"x", b"y", b"y/deep")


def _base(tar, base):
    for name in (b"usr/", b"usr/lib/", b"usr/lib/x/", b"usr/lib/y/", b"usr/lib/y/deep/", b"run/", b"var/", b"data/"):
        tar.add(base + name, b"5", mode=0o751, mtime=1000)
    for name in (b"foo", b"x/old", b"y/deep/old"):
        tar.add(base + b"usr/lib/" + name, data=b"below " + name, mtime=1000)
    for name, target in ((b"lib", b"usr/lib"), (b"again", b"lib"), (b"usr/here", b"."), (b"var/run", b"../run")):
        tar.add(base + name, b"2", link=target, mtime=1000)


def _entry(tar, base, rng, number):
    """One more entry of the upper layer."""
    way = base + rng.choice(_WAYS) + b"/"
    if rng.random() < 0.75:
        tar.add(way + rng.choice(_FILES), data=b"entry %d" % number, mtime=2000 + number)
    else:
        tar.add(way + rng.choice(_DIRECTORIES) + b"/", b"5", mode=0o700 + number, mtime=2000 + number)


def _deletion(tar, base, rng):
    way = base + rng.choice(_WAYS) + b"/"
    if rng.random() < 0.5:
        parent, _, name = rng.choice(_FILES + _DIRECTORIES).rpartition(b"/")
        tar.add(way + (parent + b"/" if parent else b"") + b".wh." + name, mode=0)
    else:
        tar.add(way + rng.choice(_DIRECTORIES) + b"/.wh..wh..opq", mode=0)


def image(rng, cases, deletes_first):
    """Archives of two layers. Every case has a directory of its own, `c17`."""
    lower, upper = Tar(), Tar()
    for case in range(cases):
        base = b"c%d/" % case
        lower.add(base, b"5", mode=0o755)
        _base(lower, base)
        if rng.random() < 0.2:
            # The layer's own link is in the way of a lower one.
            upper.add(base + b"data/run/", b"5", mode=0o710)
            upper.add(base + b"run", b"2", link=b"data/run", mtime=3000)
            upper.add(base + b"var/run/app", data=b"through both", mtime=3000)
        # One deletion: what several make of each other is a matter of taste.
        entries = rng.randrange(1, 6)
        deletion = rng.choice((None, 0 if deletes_first else rng.randrange(entries)))
        for number in range(entries):
            if number == deletion:
                _deletion(upper, base, rng)
            _entry(upper, base, rng, number)
    return [lower.bytes(), upper.bytes()]
