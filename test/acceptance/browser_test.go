package acceptance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"swarm-scale/poll"
	"swarm-scale/test/eventually"
)

// Screen sizes of a laptop and a small phone, in CSS pixels.
const (
	laptopWidth, laptopHeight = 1280, 800
	phoneWidth, phoneHeight   = 360, 740
)

// chromium is the browser that the tests share, started by the first one that asks.
var chromium struct {
	sync.Mutex
	browser context.Context
	end     func()
}

// startChromium returns the shared browser. Without Chromium on this machine the test is skipped.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.browser != nil {
		return chromium.browser
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("Chromium is not installed: on Debian, apt-get install chromium")
	}
	folder, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		t.Fatal(err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path),
		chromedp.UserDataDir(folder),
		chromedp.Flag("headless", true),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.WSURLReadTimeout(60*time.Second))
	browser, closeBrowser := chromedp.NewContext(allocator)
	chromium.end = func() {
		_ = chromedp.Cancel(browser) // no test needs it any more
		closeBrowser()
		stop()
		_ = os.RemoveAll(folder) // in the system's temporary folder; nothing depends on it
	}
	// The browser lives as long as the context of the first call.
	if _, err := chromedp.Call(browser, log.Enable, cdp.Empty{}); err != nil {
		chromium.end()
		chromium.end = nil
		t.Fatal(err)
	}
	chromium.browser = browser
	return browser
}

// endChromium ends the shared browser.
func endChromium() {
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.end != nil {
		chromium.end()
	}
}

// newTab opens a tab with cookies and settings of its own. Whatever the browser complains about in the tab's console (a
// blocked style or script, say) fails the test.
func newTab(t *testing.T) context.Context {
	t.Helper()
	tab, closeTab := chromedp.NewContext(startChromium(t), chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	// The tab lives as long as the context of the first call.
	if _, err := chromedp.Call(tab, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(tab, runtime.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	watchConsole(t, tab)
	limited, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	do(t, limited, screen(laptopWidth, laptopHeight))
	return limited
}

// watchConsole fails the test at its end if the browser complained in the tab. Answers with 4xx and 5xx and refused
// connections are no complaints: tests ask for them.
func watchConsole(t *testing.T, tab context.Context) {
	t.Helper()
	entries := chromedp.Events(tab, log.EntryAdded)
	exceptions := chromedp.Events(tab, runtime.ExceptionThrown)
	var watchers sync.WaitGroup
	var mu sync.Mutex
	var complaints []string
	complain := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, text)
	}
	watchers.Go(func() {
		for event, err := range entries {
			if err != nil {
				return
			}
			if event.Entry.Level == log.EntryLevelError && event.Entry.Source != log.EntrySourceNetwork {
				complain(event.Entry.Text)
			}
		}
	})
	watchers.Go(func() {
		for event, err := range exceptions {
			if err != nil {
				return
			}
			complain(event.ExceptionDetails.Text)
		}
	})
	t.Cleanup(func() {
		_ = chromedp.Cancel(tab) // the tab is closed, and its events end
		watchers.Wait()
		for _, complaint := range complaints {
			t.Errorf("the browser complains: %s", complaint)
		}
	})
}

// do runs actions in a tab.
func do(t *testing.T, tab context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, actions...); err != nil {
		t.Fatal(err)
	}
}

// command is an action that sends a command of the DevTools protocol.
func command[P, R any](command cdp.Command[P, R], parameters P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, command, parameters)
		return err
	})
}

func screen(width, height int64) chromedp.Action[chromedp.Void] {
	return command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
	})
}

// ask evaluates an expression on the page.
func ask[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	answer, err := chromedp.Run(tab, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return answer
}

// press clicks a button that loads a page, and waits for the page.
func press(t *testing.T, tab context.Context, selector string) {
	t.Helper()
	if _, err := chromedp.RunResponse(tab, chromedp.Click(chromedp.CSS(selector))); err != nil {
		t.Fatal(err)
	}
}

// text is the visible text of an element.
func text(t *testing.T, tab context.Context, selector string) string {
	t.Helper()
	return ask[string](t, tab, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? "(no such element)"`, selector))
}

// keepScreenshot writes a picture of the page to the folder that the variable SCREENSHOTS names, if it is set.
func keepScreenshot(t *testing.T, tab context.Context, name string) {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// fitsScreen checks that the page does not scroll sideways, and that buttons and links are big enough for a finger.
func fitsScreen(t *testing.T, tab context.Context) {
	t.Helper()
	type size struct{ Content, Screen, SmallestButton float64 }
	got := ask[size](t, tab, `(() => ({
		content: document.documentElement.scrollWidth,
		screen: document.documentElement.clientWidth,
		smallestButton: Math.min(999, ...[...document.querySelectorAll("button, a")].flatMap((e) => {
			const box = e.getBoundingClientRect();
			return [box.width, box.height];
		})),
	}))()`)
	if got.Content > got.Screen {
		t.Errorf("the page is %v wide on a screen of %v: it scrolls sideways", got.Content, got.Screen)
	}
	if got.SmallestButton < 44 {
		t.Errorf("the shortest side of a button is %v pixels, want at least 44", got.SmallestButton)
	}
}

func TestVotingInBrowser(t *testing.T) {
	t.Parallel()
	tab := newTab(t)
	s := startSystem(t)
	site := s.frontends[0].URL

	do(t, tab, chromedp.Navigate(site))
	if got := text(t, tab, "h1"); got != "Cats or Dogs?" {
		t.Errorf("the heading is %q", got)
	}
	if lines := strings.Split(strings.TrimSpace(text(t, tab, "body")), "\n"); !strings.Contains(lines[len(lines)-1], "frontend01") {
		t.Errorf("the last line is %q, want the container frontend01 in it", lines[len(lines)-1])
	}
	if ask[bool](t, tab, `document.querySelector("[aria-pressed=true]") !== null`) {
		t.Error("an option is chosen before the first vote")
	}
	keepScreenshot(t, tab, "vote-laptop")

	press(t, tab, "button.a")
	if got := text(t, tab, ".notice"); got != "Thank you! Your vote for Cats is in." {
		t.Errorf("after the vote the page says %q", got)
	}
	if got := text(t, tab, "[aria-pressed=true]"); !strings.Contains(got, "Cats") || !strings.Contains(got, "Your choice") {
		t.Errorf("the chosen option is %q, want Cats", got)
	}
	keepScreenshot(t, tab, "voted-laptop")
	s.wantResults(t, 1, 0)

	press(t, tab, "button.b")
	if got := text(t, tab, "[aria-pressed=true]"); !strings.Contains(got, "Dogs") {
		t.Errorf("the chosen option is %q, want Dogs", got)
	}
	s.wantResults(t, 0, 1)

	// On a later visit the page knows the choice. So does another frontend.
	do(t, tab, chromedp.Navigate(site))
	if got := text(t, tab, "[aria-pressed=true]"); !strings.Contains(got, "Dogs") {
		t.Errorf("the chosen option on another visit is %q, want Dogs", got)
	}
	do(t, tab, chromedp.Navigate(s.frontends[1].URL)) // a cookie is for all ports of a host
	if got := text(t, tab, "[aria-pressed=true]"); !strings.Contains(got, "Dogs") {
		t.Errorf("the chosen option on the other frontend is %q, want Dogs", got)
	}
	press(t, tab, "button.a")
	if got := text(t, tab, ".page-foot"); !strings.Contains(got, "frontend02") {
		t.Errorf("the last line is %q, want frontend02", got)
	}
	s.wantResults(t, 1, 0)
	if got := ask[string](t, tab, "document.cookie"); got != "" {
		t.Errorf("scripts can read the cookie: %q", got)
	}

	// The keyboard alone is enough.
	do(t, tab, chromedp.Navigate(site), chromedp.KeyEvent("\t\t"))
	if got := ask[string](t, tab, "document.activeElement.value"); got != "b" {
		t.Errorf("the second Tab selects %q, want the second option", got)
	}
	if _, err := chromedp.RunResponse(tab, chromedp.KeyEvent("\r")); err != nil {
		t.Fatal(err)
	}
	s.wantResults(t, 0, 1)
}

func TestPagesFitPhone(t *testing.T) {
	t.Parallel()
	tab := newTab(t)
	s := startWithoutWorker(t, "OPTION_A=Cats that sleep in the afternoon sun now", "OPTION_B=Donaudampfschifffahrtskapitänshunde 123")
	do(t, tab, screen(phoneWidth, phoneHeight), chromedp.Navigate(s.frontends[0].URL))
	fitsScreen(t, tab)
	keepScreenshot(t, tab, "long-names-phone")
	press(t, tab, "button.b")
	fitsScreen(t, tab)
	do(t, tab, chromedp.Navigate(s.results.URL))
	fitsScreen(t, tab)
	do(t, tab, chromedp.Navigate(s.frontends[0].URL+"/nothing"))
	fitsScreen(t, tab)
	keepScreenshot(t, tab, "not-found-phone")
	do(t, tab, screen(280, 600), chromedp.Navigate(s.frontends[0].URL)) // the narrowest phones
	fitsScreen(t, tab)
}

func TestVotingWithoutJavaScript(t *testing.T) {
	t.Parallel()
	tab := newTab(t)
	s := startSystem(t)
	do(t, tab, command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}),
		chromedp.Navigate(s.frontends[0].URL))
	press(t, tab, "button.b")
	if chosen := text(t, tab, "[aria-pressed=true]"); !strings.Contains(chosen, "Dogs") {
		t.Errorf("the chosen option is %q, want Dogs", chosen)
	}
	s.wantResults(t, 0, 1)

	// The results are in the page itself, which reloads itself.
	do(t, tab, chromedp.Navigate(s.results.URL))
	if share := text(t, tab, "[data-option=b] .share"); share != "100.0%" {
		t.Errorf("the share of Dogs is %q, want 100.0%%", share)
	}
	v := s.newVoter(t, s.frontends[0])
	mustVote(t, v, s.frontends[0], poll.A)
	eventually.Succeeds(t, patience, "the page shows the new vote without a click", func() error {
		share, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.querySelector("[data-option=b] .share").innerText`))
		if err != nil { // the page is reloading
			return err
		}
		if share != "50.0%" {
			return fmt.Errorf("it shows %q", share)
		}
		return nil
	})
}

func TestVotePageSaysThatQueueIsDown(t *testing.T) {
	t.Parallel()
	tab := newTab(t)
	s := startSystem(t)
	do(t, tab, screen(phoneWidth, phoneHeight), chromedp.Navigate(s.frontends[0].URL))
	press(t, tab, "button.a")
	s.redis[0].Kill()
	press(t, tab, "button.b")
	if got := text(t, tab, ".notice"); !strings.Contains(got, "we cannot take votes at this moment") {
		t.Errorf("the page says %q", got)
	}
	if got := text(t, tab, "[aria-pressed=true]"); !strings.Contains(got, "Cats") {
		t.Errorf("the chosen option is %q, want Cats: Dogs was not taken", got)
	}
	keepScreenshot(t, tab, "queue-down-phone")
	s.redis[0].Restart(t)
	eventually.Succeeds(t, patience, "the same page takes the vote", func() error {
		press(t, tab, "button.b")
		if got := text(t, tab, ".notice"); !strings.HasPrefix(got, "Thank you!") {
			return fmt.Errorf("it says %q", got)
		}
		return nil
	})
	s.wantResults(t, 0, 1)
}

func TestResultsPageUpdatesItself(t *testing.T) {
	t.Parallel()
	tab := newTab(t)
	s := startSystem(t)
	do(t, tab, chromedp.Navigate(s.results.URL))
	if got := text(t, tab, "#total"); got != "0 votes in all" {
		t.Errorf("before the first vote the total is %q", got)
	}
	width := func(option string) float64 {
		return ask[float64](t, tab, fmt.Sprintf(`(() => {
			const bar = document.querySelector("[data-option=%s] .bar");
			return Math.round(100 * bar.querySelector("rect").getBoundingClientRect().width / bar.getBoundingClientRect().width);
		})()`, option))
	}
	if a, b := width("a"), width("b"); a != 0 || b != 0 {
		t.Errorf("before the first vote the bars are %v%% and %v%% wide", a, b)
	}
	ask[bool](t, tab, `window.sameVisit = true`)
	for i := range 4 {
		v := s.newVoter(t, s.frontends[i%2])
		choice := poll.A
		if i == 3 {
			choice = poll.B
		}
		mustVote(t, v, s.frontends[i%2], choice)
	}
	eventually.Succeeds(t, patience, "the bars move", func() error {
		if a, b := width("a"), width("b"); a != 75 || b != 25 {
			return fmt.Errorf("they are %v%% and %v%% wide", a, b)
		}
		return nil
	})
	for selector, want := range map[string]string{
		"[data-option=a] .share": "75.0%", "[data-option=b] .share": "25.0%",
		"[data-option=a] .votes": "3 votes", "[data-option=b] .votes": "1 vote",
		"#total": "4 votes in all",
	} {
		if got := text(t, tab, selector); got != want {
			t.Errorf("%s shows %q, want %q", selector, got, want)
		}
	}
	eventually.Succeeds(t, patience, "the page is live", func() error {
		if got := text(t, tab, "#status"); !strings.HasPrefix(got, "Live") {
			return fmt.Errorf("its status is %q", got)
		}
		return nil
	})
	if !ask[bool](t, tab, `window.sameVisit === true`) {
		t.Error("the page was reloaded, want it updated in place")
	}
	keepScreenshot(t, tab, "results-laptop")
	do(t, tab, screen(phoneWidth, phoneHeight))
	fitsScreen(t, tab)
	keepScreenshot(t, tab, "results-phone")
	do(t, tab, screen(laptopWidth, laptopHeight),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
		}))
	keepScreenshot(t, tab, "results-dark")

	shows := func(what, selector, part string) {
		t.Helper()
		eventually.Succeeds(t, patience, "the page "+what, func() error {
			if got := text(t, tab, selector); !strings.Contains(got, part) {
				return fmt.Errorf("its %s is %q", selector, got)
			}
			return nil
		})
	}
	// The results app is killed and started again. The page says so, and reconnects.
	s.results.Kill()
	shows("says that it has lost the connection", "#trouble", "connection to the results is lost")
	s.results.Launch(t)
	shows("is live again", "#status", "Live")
	// Nothing comes any more, although the connection is there.
	if err := s.results.Pause(); err != nil {
		t.Fatal(err)
	}
	shows("says that nothing comes any more", "#trouble", "connection to the results is lost")
	if err := s.results.Resume(); err != nil {
		t.Fatal(err)
	}
	shows("is live once more", "#status", "Live")
	if got := text(t, tab, "#trouble"); got != "" {
		t.Errorf("the page still says %q", got)
	}
}
