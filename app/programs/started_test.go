package programs

import (
	"testing"

	"swarm-scale/poll/service"
)

// TestStartedPageIsTheProgramsOwn holds that containers are asked for the page that the programs answer.
func TestStartedPageIsTheProgramsOwn(t *testing.T) {
	if StartedPage != service.StartedPage {
		t.Errorf("containers are asked for %s, and the programs answer %s", StartedPage, service.StartedPage)
	}
}
