"""Every message of the program that says what to do next, read from its sources."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Functions that hand a message and its remedy on: (name, which argument is the remedy).
HELPERS = {
    "lib/config/validate_config.cpp": ("contradiction", 1),
    "lib/config/config_file.cpp": ("reject", 1),
}


def arguments_at(text, start):
    """The arguments of a call whose first one begins at `start`, literals joined."""
    parts, depth, begin, at = [], 1, start, start
    while depth:
        character = text[at]
        if character == '"':
            at += 1
            while text[at] != '"':
                at += 2 if text[at] == "\\" else 1
        elif character in "({[":
            depth += 1
        elif character in ")}]":
            depth -= 1
        if depth == 0 or (character == "," and depth == 1):
            parts.append(text[begin:at])
            begin = at + 1
        at += 1
    return [re.sub(r'(?<!\\)"\s*"', "", re.sub(r"\s+", " ", part)).strip() for part in parts]


def without_comments(text):
    return re.sub(r"^\s*//.*$", "", text, flags=re.M)


def messages():
    """(file, message with its remedy) for each place that makes one."""
    found = []
    for folder in ("lib", "apps"):
        for path in sorted((ROOT / folder).rglob("*.[ch]pp")):
            name = str(path.relative_to(ROOT))
            text = without_comments(path.read_text())
            for match in re.finditer(r"\bExitCode::k\w+,", text):
                parts = arguments_at(text, match.end())
                if len(parts) > 1 and parts[1] not in ('""', "remedy", "kind->remedy") \
                        or name not in HELPERS and len(parts) > 1 and parts[1] == "remedy":
                    found.append((name, " | ".join(parts[:2])))
            if name in HELPERS:
                helper, place = HELPERS[name]
                for match in re.finditer(rf"(?<!void )\b{helper}\(", text):
                    found.append((name, " | ".join(arguments_at(text, match.end())[:place + 1])))
            if name == "lib/domain/outcome.cpp":
                for match in re.finditer(r"ReasonText\{\s*(Reason::\w+,)", text):
                    found.append((name, " | ".join(arguments_at(text, match.start(1)))))
    return found


if __name__ == "__main__":
    for name, message in messages():
        print(f"{name}: {message}")
