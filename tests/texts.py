"""Text to train on and to compare on: many scripts, and what makes tokenizers differ."""

from __future__ import annotations

from hypothesis import strategies as st

CORPUS = [
    "The quick brown fox jumps over the lazy dog. The dog isn't amused; it's 12:45 and they've 1234567 things to do.",
    "def encode(self, text: str) -> list[int]:\n    return [self.vocab[t] for t in text.split()]  # no\n\n\n\tpass\r\n",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Широкая электрификация южных губерний.",
    "いろはにほへと ちりぬるを カタカナとひらがな、漢字も混ざっています。東京都は大きい。",
    "敏捷的棕色狐狸跳过了懒狗。中文分词没有空格，所以很难。二〇二六年",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
    "صِف خَلقَ خَودِ كَمِثلِ الشَمسِ إِذ بَزَغَت يَحظى الضَجيعُ بِها نَجلاءَ مِعطارِ ١٢٣٤",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले १२३",
    "นายสังฆภัณฑ์ เฮงพิทักษ์ฝั่ง ผู้เฒ่าซึ่งมีอาชีพเป็นฅนขายฃวด",
    "Voix ambiguë d'un cœur qui, au zéphyr, préfère les jattes de kiwis. Él pingüino Wenceslao hizo kilómetros. ÀÉÎÕÜ",
    "👩‍👩‍👧‍👦 🦜 🏳️‍🌈 café naïve e\u0301 A\u030a ½ ² Ⅷ ǅ ŉ ﬁ … — “quotes” ‘s ’s <|x|> [MASK] word",
    "   leading blanks\n\n\n   and   runs   of   them \t\t\t tabs \u00a0 \u3000 \u2028 end   ",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbb !!!!!!!!!!!!!! 000000000000 ababababababab",
    "HTTPServer2XMLParser camelCaseWords SCREAMING_SNAKE kebab-case-words I'LL YOU'RE WE'VE he'd 'tis",
]

FRAGMENTS = [
    *" \n\t\r\x0b\x0c\x00\x1c\x85\u00a0\u2003\u2028\u3000\u200b\u200d\ufeff",
    *"abcXYZéßñçøÅİıſƒ",
    *"019٣३०Ⅷ²½㊿",
    *".,;:!?'\"-_/\\()[]{}<>|@#$%^&*+=~`",
    *"жЩґאבعربيहिन्दีกขฃ漢字かなカナ한글ǅʰ",
    *"🦜👩🏽\u0301\u030a\u0308\u0327\u20e3\ufe0f\ue000\U0010ffff\ufffd",
    *[
        "'s",
        "'S",
        "'ll",
        "'RE",
        "’s",
        "ſ's",
        "e\u0301",
        "A\u030a",
        "ậ",
        "  ",
        "   ",
        "\r\n",
        "\n\n",
        " \n ",
        "ab",
        "aab",
    ],
    *["the", " the", "The", " dog", "isn't", "1234567", "中文分词", "булок", "    return", "<|x|>", "<|y|>", "<|xy|>"],
    *[
        "[MASK]",
        "word",
        " word ",
        "Straße",
        "e\u0301clair",
        "👩‍👩‍👧‍👦",
        "가",
        "\u1100\u1161",
        "...",
        "/*",
        "*/",
        "http://",
    ],
]
"""What hypothesis joins: pieces on which patterns, normalisers and added tokens decide differently."""

texts = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=24).map("".join),
    st.text(max_size=40),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=4)), max_size=12).map("".join),
    st.sampled_from(CORPUS),
)
"""Any text, likely an awkward one."""

byte_strings = st.one_of(
    st.binary(max_size=40),
    texts.map(str.encode),
    st.lists(st.one_of(st.binary(max_size=3), st.sampled_from(FRAGMENTS).map(str.encode)), max_size=12).map(b"".join),
)
"""Any bytes, UTF-8 or not."""
