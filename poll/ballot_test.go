package poll_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"swarm-scale/poll"
)

func TestNewBallot(t *testing.T) {
	for name, labels := range map[string][2]string{
		"plain":            {"Cats", "Dogs"},
		"space around":     {"  Cats ", "\tDogs"},
		"other scripts":    {"猫", "犬 <b>"},
		"forty characters": {strings.Repeat("猫", 40), "Dogs"},
	} {
		ballot, err := poll.NewBallot(labels[0], labels[1])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := map[poll.Choice]string{poll.A: strings.TrimSpace(labels[0]), poll.B: strings.TrimSpace(labels[1]), poll.None: ""}
		for choice, label := range want {
			if got := ballot.Label(choice); got != label {
				t.Errorf("%s: the label of %q is %q, want %q", name, choice, got, label)
			}
		}
	}
}

// labels are of all kinds of scripts and signs. Each is as people type it, in the form NFC.
var labels = map[string]string{
	"black cat":                 "🐈\u200d⬛",
	"service dog":               "🐕\u200d🦺",
	"family":                    "👨\u200d👩\u200d👧\u200d👦",
	"heart":                     "I ❤\ufe0f cats",
	"skin tones":                "👍🏽 Yes",
	"flag of a country":         "🇳🇱 Kat",
	"flag of a part of one":     "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f Cats",
	"pirate flag":               "🏴\u200d☠\ufe0f",
	"keycap":                    "1\ufe0f\u20e3 first",
	"an emoji of tomorrow":      "\U0001fae9 tired",
	"Persian":                   "گربه\u200cها",
	"Persian question":          "می\u200cخواهم؟",
	"Arabic number sign":        "\u0600١٢",
	"Hebrew":                    "חתול\u200f!",
	"Devanagari":                "क्\u200dष बिल्ली",
	"Sinhala":                   "ශ්\u200dරී",
	"Thai":                      "แมว\u200bเหมียว",
	"no-break space":            "Grands\u00a0chats",
	"narrow no-break space":     "Chats\u202f!",
	"ideographic space":         "黒い\u3000猫",
	"soft hyphen":               "Haus\u00adkatze",
	"Vietnamese":                "Mèo ế",
	"Mongolian with a selector": "ᠮ\u180bᠣ",
	"kanji with a selector":     "葛\U000e0100城",
	"musical":                   "𝄞 cats",
	"a long Hindi question":     "क्या आपको बिल्लियाँ अधिक पसंद हैं या कुत्ते",
	"six families":              strings.Repeat("👨\u200d👩\u200d👧\u200d👦", 6),
	"six flags of Scotland":     strings.Repeat("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", 6),
}

func TestNewBallotTakesEveryScript(t *testing.T) {
	for name, label := range labels {
		ballot, err := poll.NewBallot(label, "Dogs")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := ballot.Label(poll.A); got != label {
			t.Errorf("%s: the label is %+q, want %+q", name, got, label)
		}
	}
}

// One word has one spelling, whichever it was typed in.
func TestNewBallotComposesLabels(t *testing.T) {
	ballot, err := poll.NewBallot("Cafe\u0301", "\u00a0The\u3000")
	if err != nil || ballot.Label(poll.A) != "Caf\u00e9" || ballot.Label(poll.B) != "The" {
		t.Errorf("the ballot is %+q (%v)", ballot, err)
	}
}

// What shows nothing, or a box, is refused; what belongs to the spelling is not.
func TestNewBallotRefusesWhatIsNotSeen(t *testing.T) {
	for _, label := range []string{"\U0001d159", "\ufffc", "a\ufffc", "\u180e", "🏴\U000e0075\U000e0073\U000e0074\U000e0078\U000e007f", "🏴\U000e007f",
		"🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074"} {
		if _, err := poll.NewBallot(label, "Dogs"); err == nil {
			t.Errorf("%+q is taken", label)
		}
	}
	if _, err := poll.NewBallot("\u182c\u1820\u1837\u180e\u1820", "Dogs"); err != nil {
		t.Errorf("a Mongolian word: %v", err)
	}
}

func TestNewBallotRefusesLabelsThatLookAlike(t *testing.T) {
	for name, pair := range map[string][2]string{
		"two spellings":          {"Caf\u00e9", "Cafe\u0301"},
		"full width":             {"Cats", "Ｃａｔｓ"},
		"ligature":               {"ﬁsh", "fish"},
		"mathematical letters":   {"Cats", "𝐂𝐚𝐭𝐬"},
		"case of all letters":    {"STRASSE", "Straße"},
		"Greek sigma":            {"ΓΑΤΟΣ", "γατος"},
		"no-break space":         {"big cats", "big\u00a0cats"},
		"two spaces":             {"big cats", "big  cats"},
		"zero width space":       {"Cats", "Ca\u200bts"},
		"joiner":                 {"Cats", "Ca\u200dts"},
		"mark of direction":      {"Cats", "Cats\u200e"},
		"soft hyphen":            {"Cats", "Ca\u00adts"},
		"variation selector":     {"❤", "❤\ufe0f"},
		"combining joiner":       {"Cats", "Ca\u034fts"},
		"marks in another order": {"q\u0307\u0323", "q\u0323\u0307"},
		"jamo":                   {"한", "\u1112\u1161\u11ab"},
		"half-width katakana":    {"ネコ", "ﾈｺ"},
		"filler":                 {"Cats", "Cats\u3164"},
		"Braille at the end":     {"Cats", "Cats\u2800"},
		"Braille between":        {"big cats", "big\u2800cats"},
		"a note without a head":  {"Cats", "Cats\U0001d159"},
		"Cyrillic":               {"Cats", "\u0421\u0430ts"},
		"Cyrillic, other case":   {"cats", "\u0421\u0410\u0422\u0405"},
		"Cyrillic capitals":      {"ВОДА-Ы", "вода\u2010ы"},
		"Cyrillic with a mark":   {"Noël", "No\u0451l"},
		"Greek":                  {"OK", "\u039f\u039a"},
		"Greek, lower case":      {"Duck", "D\u03c5c\u03ba"},
		"phonetic letters":       {"Dogs", "Do\u0261s"},
		"Armenian":               {"Dogs", "D\u0585gs"},
		"Cherokee":               {"DOGS", "\u13a0OGS"},
		"hyphen":                 {"a-b", "a\u2010b"},
		"minus":                  {"-1", "\u22121"},
		"apostrophe":             {"won't", "won\u2019t"},
		"quotation marks":        {`"yes"`, "\u201cyes\u201d"},
	} {
		_, err := poll.NewBallot(pair[0], pair[1])
		faults, ok := errors.AsType[poll.LabelFaults](err)
		if !ok || len(faults) != 1 || faults[0].Problem != "is the same as the other option's" {
			t.Errorf("%s: the error is %v, want that the labels are the same", name, err)
		}
	}
	for name, pair := range map[string][2]string{
		"skin tones":     {"👍🏻", "👍🏿"},
		"flags":          {"🇫🇷", "🇩🇪"},
		"parts":          {"🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"},
		"cats":           {"🐈", "🐈\u200d⬛"},
		"marks":          {"resume", "résumé"},
		"Turkish letter": {"kara", "karı"},
		"Cyrillic":       {"Кошки", "Собаки"},
		"a long dash":    {"a-b", "a\u2014b"},
	} {
		if _, err := poll.NewBallot(pair[0], pair[1]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewBallotReportsEveryFault(t *testing.T) {
	type fault struct {
		option  poll.Choice
		problem string
	}
	const empty, long, unprintable, same = "is empty", "is longer than 40 characters", "has characters that cannot be printed",
		"is the same as the other option's"
	const invisible, mark, turned = "is invisible", "begins with a mark that belongs on a letter",
		"has characters that turn the direction of the text around"
	for name, test := range map[string]struct {
		a, b string
		want []fault
	}{
		"empty":             {"", "Dogs", []fault{{poll.A, empty}}},
		"both empty":        {" ", "", []fault{{poll.A, empty}, {poll.B, empty}}},
		"same":              {"Cats", " Cats", []fault{{poll.B, same}}},
		"same but for case": {"Cats", "cATS", []fault{{poll.B, same}}},
		"too long":          {strings.Repeat("c", 41), "Dogs", []fault{{poll.A, long}}},
		"too many flags":    {strings.Repeat("🇳🇿", 41), "Dogs", []fault{{poll.A, long}}},
		"a pile of marks":   {"q" + strings.Repeat("\u0301", 7), "Dogs", []fault{{poll.A, "has more than 6 marks on one letter"}}},
		"line break":        {"Cats\nand", "Dogs", []fault{{poll.A, unprintable}}},
		"not UTF-8":         {"Cats", "\xff", []fault{{poll.B, unprintable}}},
		"lost characters":   {"Caf\ufffd", "Dogs", []fault{{poll.A, unprintable}}},
		"NUL":               {"Cats\x00", "Dogs", []fault{{poll.A, unprintable}}},
		"escape":            {"\x1b[31mCats", "Dogs", []fault{{poll.A, unprintable}}},
		"line separator":    {"Cats\u2028and", "Dogs", []fault{{poll.A, unprintable}}},
		"private use":       {"\ue000 Cats", "Dogs", []fault{{poll.A, unprintable}}},
		"byte order mark":   {"\ufeffCats", "Dogs", []fault{{poll.A, unprintable}}},
		"hidden tags":       {"Cats\U000e0044\U000e006f\U000e0067\U000e0073", "Dogs", []fault{{poll.A, unprintable}}},
		"tags without end":  {"🏴\U000e0067\U000e0062", "Dogs", []fault{{poll.A, unprintable}}},
		"annotation":        {"\ufff9Cats\ufffa", "Dogs", []fault{{poll.A, unprintable}}},
		"override":          {"\u202estaC", "Dogs", []fault{{poll.A, turned}}},
		"embedding":         {"Cats", "\u202aDogs\u202c", []fault{{poll.B, turned}}},
		"isolate":           {"Cats", "\u2067Dogs\u2069", []fault{{poll.B, turned}}},
		"joiners alone":     {"\u200d\u200c", "Dogs", []fault{{poll.A, invisible}}},
		"selector alone":    {"\ufe0f", "Dogs", []fault{{poll.A, invisible}}},
		"marks alone":       {"\u200f\u200e", "Dogs", []fault{{poll.A, invisible}}},
		"filler alone":      {"\u3164 \u115f", "Dogs", []fault{{poll.A, invisible}}},
		"Braille blank":     {"\u2800\u2800", "Dogs", []fault{{poll.A, invisible}}},
		"soft hyphen alone": {"\u00ad", "Dogs", []fault{{poll.A, invisible}}},
		"accent alone":      {"\u0301", "Dogs", []fault{{poll.A, invisible}}},
		"accent first":      {"\u0301Cats", "Dogs", []fault{{poll.A, mark}}},
		"no-break spaces":   {"\u00a0\u202f", "Dogs", []fault{{poll.A, empty}}},
		"too long, not UTF-8, same": {strings.Repeat("\xff", 41), strings.Repeat("\xff", 41),
			[]fault{{poll.A, long}, {poll.A, unprintable}, {poll.B, long}, {poll.B, unprintable}, {poll.B, same}}},
	} {
		_, err := poll.NewBallot(test.a, test.b)
		faults, ok := errors.AsType[poll.LabelFaults](err)
		if !ok {
			t.Errorf("%s: the error is %v, want a LabelFaults", name, err)
			continue
		}
		var got []fault
		for _, f := range faults {
			got = append(got, fault{f.Option, f.Problem})
			if want := strings.TrimSpace(map[poll.Choice]string{poll.A: test.a, poll.B: test.b}[f.Option]); f.Label != want || f.Remedy == "" {
				t.Errorf("%s: the fault is %+v, want the label %q and a remedy", name, f, want)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: the faults are %v, want %v", name, got, test.want)
		}
	}
}

func TestParseChoice(t *testing.T) {
	for _, choice := range poll.Choices() {
		got, err := poll.ParseChoice(choice.String())
		if err != nil || got != choice {
			t.Errorf("ParseChoice(%q) = %v, %v", choice, got, err)
		}
	}
	for _, id := range []string{"", "c", "A", "ab", "a ", "\x00", "'; DROP TABLE votes", strings.Repeat("a", 1000)} {
		got, err := poll.ParseChoice(id)
		if !errors.Is(err, poll.ErrUnknownOption) || got != poll.None {
			t.Errorf("ParseChoice(%q) = %v, %v; want ErrUnknownOption", id, got, err)
		}
		if len(err.Error()) > 200 {
			t.Errorf("the error repeats the whole input: %d bytes", len(err.Error()))
		}
	}
}
