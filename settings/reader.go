package settings

import (
	"fmt"
	"math"
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

// release is the first two numbers of a version.
type release [2]int

func (r release) less(other release) bool { return slices.Compare(r[:], other[:]) < 0 }

var (
	// firstUsableConsul is the first release of Consul with every port that the stack closes (grpc_tls).
	firstUsableConsul = release{1, 14}
	// firstUnusableConsul is the first release of Consul that engines cannot use: it refuses keys with a colon, and an engine's key has
	// its address and port.
	firstUnusableConsul = release{1, 22}
	// firstUnusableInterlock is the first release of Interlock that does not work here.
	firstUnusableInterlock = release{1, 0}
)

// versionPattern matches a tag that begins with a version: one or two numbers, which are not a date's.
var versionPattern = regexp.MustCompile(`^v?([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:[.+_-].*)?$`)

// releases returns the oldest and the newest release that an image's tag may mean: 1 is any of 1.0, 1.1 and so on. It reports whether the
// tag tells a version.
func releases(image string) (oldest, newest release, ok bool) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return oldest, newest, false // its fault is already reported
	}
	tagged, isTagged := named.(reference.Tagged)
	if !isTagged {
		return oldest, newest, false
	}
	found := versionPattern.FindStringSubmatch(tagged.Tag())
	if found == nil {
		return oldest, newest, false
	}
	major, _ := strconv.Atoi(found[1])
	if found[2] == "" {
		return release{major, 0}, release{major, math.MaxInt}, true
	}
	minor, _ := strconv.Atoi(found[2])
	return release{major, minor}, release{major, minor}, true
}

// consulImage is image, and refuses a release that does not work here, if the tag tells it.
func (r *reader) consulImage() string {
	value := r.image(keyConsulImage)
	oldest, newest, ok := releases(value)
	switch {
	case ok && !newest.less(firstUnusableConsul):
		r.fault(keyConsulImage, value, Conflict, "refuses the keys under which engines announce themselves, from 1.22 on", "use release 1.14 to 1.21, such as %s", defaults[keyConsulImage])
	case ok && oldest.less(firstUsableConsul):
		r.fault(keyConsulImage, value, Conflict, "does not know every option that it is started with", "use release 1.14 to 1.21, such as %s", defaults[keyConsulImage])
	}
	return value
}

// interlockImage is image, and refuses a release that does not work here, if the tag tells it.
func (r *reader) interlockImage() string {
	value := r.image(keyInterlockImage)
	if _, newest, ok := releases(value); ok && !newest.less(firstUnusableInterlock) {
		r.fault(keyInterlockImage, value, Conflict, "does not work here from release 1.0 on", "use a release before 1.0, such as %s", defaults[keyInterlockImage])
	}
	return value
}
