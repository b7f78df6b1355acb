package app

import (
	"testing"

	"swarm-scale/settings"
)

func TestStatisticsPasswordFollowsFromTheVoterKey(t *testing.T) {
	one := statisticsPassword(settings.Secret("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="))
	other := statisticsPassword(settings.Secret("ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="))
	if one == other || len(one) != 24 || one != statisticsPassword(settings.Secret("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")) {
		t.Errorf("the passwords of two keys are %q and %q", one, other)
	}
}
