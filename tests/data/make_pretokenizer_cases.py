"""Write cases/pretokenizers.json: what tokenizers makes of random texts, for every pretokenizer that only cuts.

Run with tokenizers 0.23.3: python make_pretokenizer_cases.py [seed [texts-per-pretokenizer]]
"""

import json
import random
import sys
from pathlib import Path

from tokenizers import Tokenizer, models

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
CHARACTERS = (
    " \t\n\r\u00a0\u3000abzAZ\u00e9\u00df09\u00b2\u00bd\u2167.,-_!?'\"()$+<\u00bf\u3002\u2019\u166d\U000111c9\u2e52"
    "\u0434\u0642\u0905\u6f22\u304b\u30ab\u30fc\u0e01\ud55c\u0301\u200d\U0001f642\U00011de3\u0378\u0589\u0953"
)


def split(pattern, behavior, invert):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def byte_level(use_regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def pretokenizers():
    literals = [{"String": string} for string in (" ", "a-", "")]
    patterns = [*literals, *({"Regex": regex} for regex in (r"\s+", r"(?=[A-Z\d])", r"\b"))]
    for pattern in patterns:
        for behavior in BEHAVIORS:
            for invert in (False, True):
                yield split(pattern, behavior, invert)
    for behavior in BEHAVIORS:
        yield {"type": "Punctuation", "behavior": behavior}
    for individual in (False, True):
        yield {"type": "Digits", "individual_digits": individual}
    for kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer", "UnicodeScripts"):
        yield {"type": kind}
    for delimiter in "a \u6f22":
        yield {"type": "CharDelimiterSplit", "delimiter": delimiter}
    for length in (1, 2, 5):
        yield {"type": "FixedLength", "length": length}
    for use_regex in (False, True):
        yield byte_level(use_regex)
    digits = {"type": "Digits", "individual_digits": False}
    yield sequence(digits, split({"Regex": r"(?=(\d{3})+(?!\d))"}, "Isolated", False), byte_level(False))
    yield sequence({"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "MergedWithNext"})
    yield sequence({"type": "UnicodeScripts"}, {"type": "FixedLength", "length": 3}, digits, byte_level(True))
    yield sequence()


def load(pretokenizer):
    tokenizer = json.loads(Tokenizer(models.BPE()).to_str())
    tokenizer["pre_tokenizer"] = pretokenizer
    return Tokenizer.from_str(json.dumps(tokenizer)).pre_tokenizer


def main(seed=1, count=12):
    rng = random.Random(seed)
    cases = []
    for pretokenizer in pretokenizers():
        loaded = load(pretokenizer)
        texts = []
        for _ in range(count):
            text = "".join(rng.choices(CHARACTERS, k=rng.randrange(1, 24)))
            begins = [0]
            for character in text:
                begins.append(begins[-1] + len(character.encode()))
            spans = [(begins[begin], begins[end]) for _, (begin, end) in loaded.pre_tokenize_str(text)]
            texts.append([text, [at for span in spans for at in span]])
        cases.append({"pretokenizer": pretokenizer, "texts": texts})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (Path(__file__).parent / "cases" / "pretokenizers.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
