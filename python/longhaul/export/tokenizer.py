"""The card's alphabet from the tokenizer of a folder of transformers', found by asking it."""

import random
import string

import transformers

from longhaul.export import shared as export

# Residues that ProtTrans' instructions have replaced by X: rare ones, and those that are unsure.
RARE = "BOUZ"
# What ProstT5 is told that residues follow, not structure.
RESIDUES_FOLLOW = "<AA2fold>"


def load(folder):
    try:
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever the libraries behind it raise
        raise export.ExportError(f"{folder}: its tokenizer cannot be read: "
                                 f"{str(error).strip().splitlines()[0]}: download the whole folder, "
                                 "tokenizer files too") from error


class Residues:
    """How a tokenizer reads a sequence: residues with spaces between, or none."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        for between in (" ", ""):
            self.between = between
            found = self.ends(export.AMINO_ACIDS)
            if found:
                self.before, self.after = found
                return
        raise export.ExportError("the tokenizer does not give each of the 20 amino acids a token of "
                                 "its own: not a model of protein sequences")

    def ids(self, sequence):
        return self.tokenizer(self.between.join(sequence))["input_ids"]

    def ends(self, sequence):
        """The tokens before and after those of `sequence`, if these are one a residue, and the same
        in any order."""
        ids, turned = self.ids(sequence), self.ids(sequence[::-1])
        special = len(ids) - len(sequence)
        unknown = self.tokenizer.unk_token_id
        for before in range(special + 1):
            inside = ids[before:before + len(sequence)]
            if (inside == turned[before:before + len(sequence)][::-1] and unknown not in inside
                    and len(set(inside)) == len(sequence)):
                return ids[:before], ids[before + len(sequence):]
        return None

    def token(self, letter):
        """The number of a letter's token; none where it has none of its own."""
        ids = self.ids(f"A{letter}C")[len(self.before):]
        whole = len(ids) == 3 + len(self.after)
        return ids[1] if whole and ids[1] != self.tokenizer.unk_token_id else None


def one_or_none(ids, names, where):
    if len(ids) > 1:
        raise export.ExportError(f"the tokenizer puts {len(ids)} tokens {where} a sequence, a card "
                                 "has one")
    return names[ids[0]] if ids else None


def alphabet(tokenizer, rare, prepend=None):
    """The card's alphabet. `rare`: "x" reads B, O, U and Z as X where there is one, as ProtTrans'
    instructions say; "own" gives them the tokens that they have."""
    residues = Residues(tokenizer)
    letters = {c: residues.token(c) for c in string.ascii_uppercase}
    letters = {c: number for c, number in letters.items() if number is not None}
    replace = {c: "X" for c in RARE} if rare == "x" and "X" in letters else {}
    known = {number: c for c, number in letters.items()}

    names = []
    for number in range(len(tokenizer)):
        name = known.get(number) or str(tokenizer.convert_ids_to_tokens(number))
        other = number not in known and (name in letters or name in names)
        names.append(f"{name} ({number})" if other else name)
    if prepend is None and RESIDUES_FOLLOW in names:
        prepend = RESIDUES_FOLLOW
    if prepend:
        number = tokenizer.convert_tokens_to_ids(prepend)
        if number is None or number == tokenizer.unk_token_id:
            raise export.ExportError(f"--prepend {prepend}: the tokenizer has no such token")
        residues.before = [*residues.before, number]
    if tokenizer.pad_token_id is None:
        raise export.ExportError("the tokenizer has no padding token")
    unknown = tokenizer.unk_token_id
    made = {"tokens": names, "pad": names[tokenizer.pad_token_id],
            "unknown": None if unknown is None else names[unknown],
            "prepend": one_or_none(residues.before, names, "before"),
            "append": one_or_none(residues.after, names, "behind"),
            "allowed": "".join(c for c in letters if c not in replace)}
    if replace:
        made["replace"] = replace
    check(residues, made)
    return made


def check(residues, made):
    """The card's tokens of some sequences are the tokenizer's."""
    source = random.Random(0)
    for length in (1, 2, 50, 300):
        sequence = "".join(source.choice(made["allowed"]) for _ in range(length))
        given = residues.before + residues.ids(sequence)[-length - len(residues.after):]
        if export.tokenise(sequence, made) != given:
            raise export.ExportError("the tokenizer does not read residues one by one, which a card "
                                     "cannot say")
