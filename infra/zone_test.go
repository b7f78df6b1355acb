package infra

import (
	"strings"
	"testing"
)

func TestCommonZonesOfferEveryType(t *testing.T) {
	types := []string{"m3.medium", "t2.micro"}
	for name, test := range map[string]struct {
		count     int // 0: 1
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
		"the first three that offer all": {
			count:     3,
			available: []string{"e", "d", "c", "b", "a"},
			offers: map[string][]string{
				"a": {"t2.micro", "m3.medium"}, "b": {"t2.micro"}, "c": {"m3.medium", "t2.micro"}, "d": {"t2.micro", "m3.medium"}, "e": {"t2.micro", "m3.medium"},
			},
			want: "a c d",
		},
		"two of three offer all": {
			count: 3, available: []string{"a", "b", "c"},
			offers: map[string][]string{"a": {"t2.micro", "m3.medium"}, "b": {"t2.micro"}, "c": {"m3.medium", "t2.micro"}},
			faults: []string{"zones is 3, and 2 availability zones of us-west-1", "(b lacks m3.medium)", "another instance type or region, or zones to 1"},
		},
		"a region of two": {
			count: 3, available: []string{"a", "b"},
			offers: map[string][]string{"a": {"t2.micro", "m3.medium"}, "b": {"t2.micro", "m3.medium"}},
			faults: []string{"region us-west-1 has 2 availability zones", "set another region, such as us-west-2, or zones to 1"},
		},
		"none is open": {faults: []string{"no availability zone that is open to this account"}},
	} {
		t.Run(name, func(t *testing.T) {
			zones, err := commonZones("us-west-1", types, test.available, test.offers, max(test.count, 1))
			if got := strings.Join(zones, " "); got != test.want || (err != nil) != (len(test.faults) > 0) {
				t.Errorf("got %v, %v, want %q", zones, err, test.want)
			}
			for _, fault := range test.faults {
				if err != nil && !strings.Contains(err.Error(), fault) {
					t.Errorf("the error does not say %q: %v", fault, err)
				}
			}
		})
	}
}
