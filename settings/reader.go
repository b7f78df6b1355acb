package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

// reader reads single settings and collects faults.
type reader struct {
	source Source
	faults []error
}

// hidden stands for a value that nobody is to see.
const hidden = "[secret]"

// shortestHidden is the length from which an encrypted value is looked for in other settings' faults. A shorter one is in ordinary words.
const shortestHidden = 6

// privateKeyPattern matches a private key, from its first line to the end of the text.
var privateKeyPattern = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*`)

// fault records a fault. It shows neither what is encrypted nor a private key, whatever setting that got into.
func (r *reader) fault(key, value string, kind Kind, problem, remedy string, arguments ...any) {
	problem, remedy = r.hide(problem), r.hide(fmt.Sprintf(remedy, arguments...))
	setting, _, _ := strings.Cut(key, "[")
	if whole, _ := r.source.Value(key); value != "" && (r.source.IsSecret(setting) || isPrivateKey(whole)) {
		value = hidden
	}
	r.faults = append(r.faults, Fault{Key: key, Value: r.hide(value), Kind: kind, Problem: problem, Remedy: remedy})
}

// hide returns a text without encrypted values and private keys.
func (r *reader) hide(text string) string {
	for key := range defaults {
		if value := r.text(key); len(value) >= shortestHidden && r.source.IsSecret(key) {
			text = strings.ReplaceAll(text, value, hidden)
		}
	}
	return privateKeyPattern.ReplaceAllString(text, hidden)
}

// isPrivateKey reports whether a text has a private key in it.
func isPrivateKey(text string) bool { return privateKeyPattern.MatchString(text) }

// text returns a setting's text without surrounding space, or the default if nothing is left.
func (r *reader) text(key string) string {
	if value, ok := r.source.Value(key); ok && strings.TrimSpace(value) != "" {
		return strings.TrimSpace(value)
	}
	return defaults[key]
}

// oneOf returns the text, or records a fault and returns the empty string unless it is one of the choices.
func (r *reader) oneOf(key string, choices ...string) string {
	value := r.text(key)
	if !slices.Contains(choices, value) {
		r.fault(key, value, Unknown, "is not a known value", "set it to %s", strings.Join(choices, " or "))
		return ""
	}
	return value
}

// number returns 0 and records a fault unless the text is an integer in [least, most].
func (r *reader) number(key string, least, most int) int {
	value := r.text(key)
	number, err := strconv.Atoi(value)
	if err != nil || number < least || number > most {
		r.fault(key, value, OutOfRange, "is not a whole number in range", "set it to %d … %d", least, most)
		return 0
	}
	return number
}

func (r *reader) boolean(key string) bool {
	return r.oneOf(key, "true", "false") == "true"
}

// matching records a fault unless the text is empty or fits the pattern. It returns the text either way.
func (r *reader) matching(key string, pattern *regexp.Regexp, problem, remedy string) string {
	value := r.text(key)
	if value != "" && !pattern.MatchString(value) {
		r.fault(key, value, Malformed, problem, "%s", remedy)
	}
	return value
}

// image records a fault unless the text is an image reference with a tag other than latest, or with a digest.
func (r *reader) image(key string) string {
	value := r.text(key)
	named, err := reference.ParseNormalizedNamed(value)
	if err != nil {
		r.fault(key, value, Malformed, "is not an image name", "write it as name:version, such as %s", defaults[key])
		return value
	}
	_, digested := named.(reference.Digested)
	tagged, isTagged := named.(reference.Tagged)
	if !digested && (!isTagged || tagged.Tag() == "latest") {
		r.fault(key, value, Malformed, "names no version", "pin one, such as %s, so that another one runs only when you say so", defaults[key])
	}
	return value
}

// firstUnusableConsul is the first release of Consul that engines cannot use: it refuses keys with a colon, and an engine's key has its
// address and port.
var firstUnusableConsul = [2]int{1, 22}

var versionPattern = regexp.MustCompile(`^v?([0-9]+)\.([0-9]+)`)

// consulImage is image, and refuses a release that engines cannot use, if the tag tells it.
func (r *reader) consulImage() string {
	value := r.image(keyConsulImage)
	named, err := reference.ParseNormalizedNamed(value)
	if err != nil {
		return value // its fault is already reported
	}
	tagged, isTagged := named.(reference.Tagged)
	if !isTagged {
		return value
	}
	if found := versionPattern.FindStringSubmatch(tagged.Tag()); found != nil {
		major, _ := strconv.Atoi(found[1])
		minor, _ := strconv.Atoi(found[2])
		if slices.Compare([]int{major, minor}, firstUnusableConsul[:]) >= 0 {
			r.fault(keyConsulImage, value, Conflict, "refuses the keys under which engines announce themselves", "use release 1.21 or older, such as %s", defaults[keyConsulImage])
		}
	}
	return value
}
