package postgres_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// passwords are such that PostgreSQL, or a client of it, may change before it uses them.
var passwords = map[string]string{
	"plain":                         "correct horse battery staple",
	"fraction":                      "½ a password",
	"full width":                    "ｐａｓｓｗｏｒｄ１２３",
	"half-width katakana":           "ﾊﾟｽﾜｰﾄﾞ",
	"ligature":                      "ofﬁce ﬀ ĳ",
	"superscript":                   "x²+y³=ª",
	"circled":                       "①②③ ㎏ ™ ℃",
	"composed":                      "Caf\u00e9",
	"decomposed":                    "Cafe\u0301",
	"marks out of order":            "q\u0307\u0323",
	"Hangul jamo":                   "\u1112\u1161\u11ab",
	"Angstrom sign":                 "10 \u212b \u2126 \u212a",
	"no-break space":                "pass\u00a0word",
	"other spaces":                  "a\u2003b\u3000c\u202fd\u1680e",
	"zero width space":              "a\u200bb",
	"soft hyphen":                   "pass\u00adword",
	"zero width joiner":             "a\u200db\u200cc",
	"variation selector":            "☺\ufe0f smile",
	"only what is dropped":          "\u00ad\u00ad\u200d\u00ad\u00ad",
	"emoji":                         "🔑🗝️ pass",
	"new letter, decomposed":        "\u1e9e\u0220\u0221e\u0301",
	"Arabic":                        "كلمةالسر",
	"Hebrew and Latin":              "אבגabc",
	"Hebrew and Latin, decomposed":  "אבגabce\u0301\u00a0",
	"Hebrew and a digit at the end": "אבג1",
	"Arabic ligature":               "ﷺ",
	"deprecated tone":               "a\u0340e\u0301",
	"control":                       "a\u0085e\u0301½",
	"right-to-left mark":            "a\u200fe\u0301",
	"private use":                   "\ue000e\u0301",
	"tag":                           "a\U000e0041e\u0301",
	"object replacement":            "a\ufffce\u0301\u00a0",
	"quotes and backslash":          `'"\ ½ $1`,
	"63 bytes":                      strings.Repeat("½", 31) + "x",
	"64 bytes after normalising":    strings.Repeat("é", 32),
	"66 bytes":                      strings.Repeat("猫", 22),
	"long":                          strings.Repeat("ｐａｓｓ½e\u0301", 40),
	"becomes long":                  strings.Repeat("ﷺ", 12),
	"becomes ASCII":                 "ｐａｓｓ",
}

// Whoever PostgreSQL lets in with a password by its own client, the programs get in, too.
func TestPasswordsThatPostgreSQLNormalises(t *testing.T) {
	t.Parallel()
	server, address := newDatabase(t)
	random := rand.New(rand.NewPCG(7, 8))
	all := maps.Clone(passwords)
	for i := range 30 {
		all[fmt.Sprintf("random %d", i)] = randomPassword(random)
	}
	script := filepath.Join(t.TempDir(), "script")
	statements := "SET password_encryption = 'scram-sha-256'; CREATE ROLE :\"role\" LOGIN SUPERUSER PASSWORD :'secret';"
	if err := os.WriteFile(script, []byte(statements), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, password := range all {
		t.Run(name, func(t *testing.T) {
			role := "role " + name
			server.Run(t, "psql", "--quiet", "--dbname", address.Database, "--set", "ON_ERROR_STOP=1", "--set", "secret="+password,
				"--set", "role="+role, "--file", script)
			login := address
			login.User, login.Password = role, password
			if _, err := newScoreboard(t, login).Tally(t.Context()); err != nil {
				t.Errorf("%+q (% x): %v", password, password, err)
			}
			login.Password += "x"
			if _, err := newScoreboard(t, login).Tally(t.Context()); err == nil {
				t.Error("another password is let in")
			}
		})
	}
}

// randomPassword has characters from all over Unicode, most of which some rule treats in its own way.
func randomPassword(random *rand.Rand) string {
	interesting := []rune("aé½ﬁＡｱ①א5\u0301\u00a0\u2003\u00ad\u200d\u0340\u1160\u0221ا🐈")
	var password strings.Builder
	for range 3 + random.IntN(30) {
		switch random.IntN(3) {
		case 0:
			password.WriteRune(rune(0x21 + random.IntN(0x2fff)))
		default:
			password.WriteRune(interesting[random.IntN(len(interesting))])
		}
	}
	return password.String()
}
