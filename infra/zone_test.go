package infra

import (
	"strings"
	"testing"
)

func TestCommonZoneOffersEveryType(t *testing.T) {
	types := []string{"m3.medium", "t2.micro"}
	for name, test := range map[string]struct {
		available []string
		offers    map[string][]string
		want      string
		faults    []string
	}{
		"the first one that offers all": {
			available: []string{"c", "b", "a"},
			offers:    map[string][]string{"a": {"t2.micro"}, "b": {"t2.micro", "m3.medium"}, "c": {"m3.medium", "t2.micro"}},
			want:      "b",
		},
		"one that is closed to the account does not count": {
			available: []string{"c"},
			offers:    map[string][]string{"a": {"t2.micro", "m3.medium"}, "c": {"m3.medium", "t2.micro"}},
			want:      "c",
		},
		"none offers all": {
			available: []string{"a", "b"},
			offers:    map[string][]string{"a": {"t2.micro"}},
			faults:    []string{"no availability zone of us-west-1", "a lacks m3.medium", "b lacks m3.medium, t2.micro", "another instance type or region"},
		},
		"none is open": {faults: []string{"no availability zone that is open to this account"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := commonZone("us-west-1", types, test.available, test.offers)
			if got != test.want || (err != nil) != (len(test.faults) > 0) {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
			for _, fault := range test.faults {
				if err != nil && !strings.Contains(err.Error(), fault) {
					t.Errorf("the error does not say %q: %v", fault, err)
				}
			}
		})
	}
}
