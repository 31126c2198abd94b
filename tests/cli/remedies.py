"""What the tests of remedies share: a claim on messages of the sources, and a place to try them."""

import json

import numpy as np

CLAIMS = []  # (file or folder, part of the message or remedy): followed by a test
NOT_FOLLOWED = []  # (file, part, why no test can follow it)


def follows(file, *parts):
    """The test that is decorated meets the message that `parts` are of, and follows its remedy."""
    CLAIMS.extend((file, part) for part in parts)
    return lambda test: test


def cannot_follow(file, part, why):
    NOT_FOLLOWED.append((file, part, why))


class Trial:
    """A folder with a fake model and an input of four records, and the program."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.out = folder / "out"
        self.model = self.write("model.json", json.dumps({"fake": True, "dimension": 8}))
        self.input = self.write("in.csv", "id,sequence,label\na,ACDEF,1\nb,MKLV,0\nc,GGHIK,1\n"
                                          "d,WYACD,0\n")

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def embed(self, *flags):
        return ["embed", self.model, self.input, "-o", self.out, "-q", *flags]

    def fails(self, code, remedy, *arguments, **options):
        """The command ends with `code` and one line that ends with `remedy`."""
        result = self.program(*arguments, cwd=self.folder, **options)
        line = (result.err.splitlines() or [""])[-1]
        assert result.code == code, result
        assert line.startswith("longhaul: ") and remedy in line.split("; ", 1)[-1], result
        return line

    def works(self, *arguments, code=0, **options):
        result = self.program(*arguments, cwd=self.folder, **options)
        assert result.code == code, result
        return result

    def vectors(self):
        return np.load(self.out / "embeddings.npy")
