package app

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"swarm-scale/poll"
	"swarm-scale/poll/redis"
	"swarm-scale/settings"
	"swarm-scale/test/eventually"
	"swarm-scale/test/redistest"
)

// appWith returns an application with a voter key.
func appWith(key settings.Secret) *App {
	return &App{settings: settings.Settings{VoterKey: key, AppendFsync: "always"}}
}

const testKey settings.Secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// startRedis starts a real Redis as the cluster does, in a directory or, if that is empty, in one of the test.
func startRedis(t *testing.T, directory string) *redistest.Server {
	t.Helper()
	folder := t.TempDir()
	secret, file := filepath.Join(folder, "secret.conf"), filepath.Join(folder, "redis.conf")
	for name, content := range map[string]string{
		secret: appWith(testKey).redisConfiguration().Content.Reveal(),
		file:   strings.Join(redisSettings("always"), "\n") + "\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := &redistest.Server{Password: appWith(testKey).redisPassword().Reveal(), Directory: directory}
	return redistest.StartAs(t, server, redisCommand(secret, file)[1:]...)
}

func openQueue(t *testing.T, server *redistest.Server, password string) *redis.Queue {
	t.Helper()
	queue, err := redis.NewQueue(server.Address, redis.WithPassword(password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(queue.Close)
	return queue
}

// vote casts a new voter's vote.
func vote(t *testing.T, queue *redis.Queue) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return queue.Append(ctx, poll.Vote{Voter: poll.NewVoterID(), Choice: poll.A, CastAt: poll.TimestampOf(time.Now())})
}

func voteTenTimes(t *testing.T, queue *redis.Queue) {
	t.Helper()
	for range 10 {
		if err := vote(t, queue); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailedSnapshotStopsNoVote holds that Redis goes on writing after a snapshot failed, as for want of memory.
func TestFailedSnapshotStopsNoVote(t *testing.T) {
	server := startRedis(t, "")
	queue := openQueue(t, server, server.Password)
	if err := vote(t, queue); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(server.Directory, "dump.rdb"), 0o700); err != nil { // it cannot become a file
		t.Fatal(err)
	}
	server.Do(t, "BGSAVE")
	eventually.Succeeds(t, 20*time.Second, "the snapshot has failed", func() error {
		if !strings.Contains(server.Do(t, "INFO", "persistence"), "rdb_last_bgsave_status:err") {
			return errors.New("it has not")
		}
		return nil
	})
	if err := vote(t, queue); err != nil {
		t.Errorf("after a failed snapshot: %v", err)
	}
	if err := queue.CheckWritable(t.Context()); err != nil {
		t.Errorf("after a failed snapshot the queue is unhealthy: %v", err)
	}
}

// TestQueueWantsItsPassword holds that nobody without the password reads or writes votes, and that who has another one is told to
// try again: it may be about to be changed.
func TestQueueWantsItsPassword(t *testing.T) {
	server := startRedis(t, "")
	for password, want := range map[string]error{"": poll.ErrUnavailable, "another": poll.ErrUnavailable, server.Password: nil} {
		err := vote(t, openQueue(t, server, password))
		if want == nil && err != nil || !errors.Is(err, want) {
			t.Errorf("with the password %q: %v, want %v", password, err, want)
		}
	}
	// The version before had no password. Its queues take votes and are drained all the same.
	before := redistest.Start(t)
	if err := vote(t, openQueue(t, before, server.Password)); err != nil {
		t.Errorf("a Redis of the version before: %v", err)
	}
}

// TestQueueOfTheVersionBeforeIsTakenOver holds that the votes of a Redis without a password, that took snapshots, are all there.
func TestQueueOfTheVersionBeforeIsTakenOver(t *testing.T) {
	before := redistest.StartAs(t, &redistest.Server{}, "--appendonly", "yes", "--appendfsync", "always")
	queue := openQueue(t, before, "")
	voteTenTimes(t, queue)
	if before.Do(t, "SAVE") != "OK" {
		t.Error("it has no snapshot")
	}
	before.Kill()
	server := startRedis(t, before.Directory)
	if got := server.Do(t, "XLEN", redis.Stream); got != "10" {
		t.Errorf("%s votes are left, want 10", got)
	}
	if err := vote(t, openQueue(t, server, server.Password)); err != nil {
		t.Error(err)
	}
}

// TestDerivedSecretsDiffer holds that a derived secret depends on its purpose and on all that it is derived from, in their order.
func TestDerivedSecretsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, secret := range []settings.Secret{
		derive("one", "a"), derive("two", "a"), derive("one", "b"), derive("one", "a", "b"), derive("one", "b", "a"), derive("one", "ab"), derive("one"),
	} {
		if seen[secret.Reveal()] || len(secret) != 32 {
			t.Errorf("%q is short, or has been derived from something else, too", secret.Reveal())
		}
		seen[secret.Reveal()] = true
	}
	if first, again := derive("one", "a"), derive("one", "a"); first != again {
		t.Error("the same secrets give another one each time")
	}
}

// redisClient puts a redis-cli in a folder that asks a server at its own port; a container's Redis is at the standard port. It notes its
// arguments and environment in the file "arguments" there.
func redisClient(t *testing.T, server *redistest.Server) (folder string) {
	t.Helper()
	program, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Skip("redis-cli is not installed: on Debian, apt-get install redis-tools")
	}
	_, port, err := net.SplitHostPort(server.Address)
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	fake := "#!/bin/sh\necho \"$*\" >>" + folder + "/arguments\nenv >>" + folder + "/arguments\nexec " + program + " -p " + port + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(folder, "redis-cli"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestRedisIsToldWhileItRuns has a real Redis told of a changed file. It has to take every line, or the command fails and says what
// Redis answered. No argument has the password.
func TestRedisIsToldWhileItRuns(t *testing.T) {
	server := startRedis(t, "")
	folder := redisClient(t, server)
	file, secret := filepath.Join(folder, "redis.conf"), filepath.Join(folder, "secret.conf")
	if err := os.WriteFile(secret, []byte(appWith(testKey).redisConfiguration().Content.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	tell := func() (string, error) {
		command := exec.Command("sh", "-c", tellRedis(secret, file))
		command.Env = []string{"PATH=" + folder + ":" + os.Getenv("PATH")}
		output, err := command.CombinedOutput()
		return string(output), err
	}
	if output, err := tell(); err != nil {
		t.Errorf("a container of an earlier version, without the file: %v: %s", err, output)
	}
	for _, test := range []struct {
		content string
		refused string // part of what is said; empty: Redis takes it
		sync    string // Redis's appendfsync afterwards
	}{
		{strings.Join(redisSettings("no"), "\n") + "\n", "", "no"},
		{strings.Join(redisSettings("always"), "\n") + "\n", "", "always"},
		{"appendonly yes\nappendfsync sometimes\n", "CONFIG SET failed", "always"},
		{"appendfsync everysec\nsave \"\"\n", "", "everysec"},
	} {
		if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := tell(); (err != nil) != (test.refused != "") || !strings.Contains(output, test.refused) {
			t.Errorf("%q: %v, %q, want it refused: %q", test.content, err, output, test.refused)
		}
		if value := server.Do(t, "CONFIG", "GET", "appendfsync"); !strings.Contains(value, test.sync) {
			t.Errorf("%q: Redis then has %s, want %s", test.content, value, test.sync)
		}
	}
	if seen, err := os.ReadFile(filepath.Join(folder, "arguments")); err != nil || strings.Contains(string(seen), server.Password) {
		t.Errorf("an argument or the environment has the password (%v)", err)
	}
	if err := os.WriteFile(secret, []byte(appWith(testKey+"=").redisConfiguration().Content.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := tell(); err != nil {
		t.Errorf("a container whose password is about to change: %v: %s", err, output)
	}
	server.Kill()
	if _, err := tell(); err == nil {
		t.Error("a Redis that does not answer takes the file")
	}
}

// TestHealthCheckOfRedis holds that it fails for a Redis that is down or wants another password, and that no argument has the
// password.
func TestHealthCheckOfRedis(t *testing.T) {
	server := startRedis(t, "")
	folder := redisClient(t, server)
	check := func(content string) error {
		file := filepath.Join(folder, "redis.conf")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		command := exec.Command("sh", "-c", redisHealthCheck(file))
		command.Env = []string{"PATH=" + folder + ":" + os.Getenv("PATH")}
		return command.Run()
	}
	if err := check(appWith(testKey).redisConfiguration().Content.Reveal()); err != nil {
		t.Errorf("a Redis that works: %v", err)
	}
	if check(appWith(testKey+"=").redisConfiguration().Content.Reveal()) == nil {
		t.Error("a Redis with another password counts as healthy")
	}
	server.Kill()
	if check(appWith(testKey).redisConfiguration().Content.Reveal()) == nil {
		t.Error("a Redis that is down counts as healthy")
	}
	if seen, err := os.ReadFile(filepath.Join(folder, "arguments")); err != nil || strings.Contains(string(seen), server.Password) {
		t.Errorf("an argument or the environment has the password (%v)", err)
	}
}

// appendOnlyFile is the file that a server writes votes to.
func appendOnlyFile(t *testing.T, server *redistest.Server) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(server.Directory, "appendonlydir", "*.incr.aof"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the append-only files are %v (%v), want one", found, err)
	}
	return found[0]
}

// TestHalfWrittenEntryIsCutOff holds that Redis starts by itself after it was killed in the middle of a write, with every vote that
// it had acknowledged.
func TestHalfWrittenEntryIsCutOff(t *testing.T) {
	server := startRedis(t, "")
	queue := openQueue(t, server, server.Password)
	voteTenTimes(t, queue)
	server.Kill()
	file, err := os.OpenFile(appendOnlyFile(t, server), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("*5\r\n$4\r\nXADD\r\n$5\r\nvot"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := vote(t, queue); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("while Redis is away: %v, want ErrUnavailable", err)
	}
	server.Restart(t)
	if got := server.Do(t, "XLEN", redis.Stream); got != "10" {
		t.Errorf("%s votes are left, want 10", got)
	}
	eventually.Succeeds(t, 20*time.Second, "votes are taken again", func() error { return vote(t, queue) })
}

// TestDamagedFileIsMended holds what docs/operations.md says: Redis refuses a file with damage in it, and the two lines there bring
// back what stood before the damage.
func TestDamagedFileIsMended(t *testing.T) {
	mender, err := exec.LookPath("redis-check-aof")
	if err != nil {
		t.Skip("redis-check-aof is not installed: on Debian, apt-get install redis-tools")
	}
	server := startRedis(t, "")
	queue := openQueue(t, server, server.Password)
	voteTenTimes(t, queue)
	server.Kill()
	path := appendOnlyFile(t, server)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := len(content)
	if err := os.WriteFile(path, append(content, make([]byte, 4096)...), 0o600); err != nil { // as a power cut can leave it
		t.Fatal(err)
	}
	if server.TryRestart() == nil {
		t.Fatal("Redis starts with a damaged file: docs/operations.md need not say what to do")
	}
	if err := queue.CheckWritable(t.Context()); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("while Redis is away: %v, want ErrUnavailable", err)
	}
	command := exec.Command(mender, "--fix", filepath.Join(server.Directory, "appendonlydir", "appendonly.aof.manifest"))
	command.Stdin = strings.NewReader("y\n")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != int64(whole) {
		t.Errorf("%d bytes are left, want %d (%v)", info.Size(), whole, err)
	}
	server.Restart(t)
	if got := server.Do(t, "XLEN", redis.Stream); got != "10" {
		t.Errorf("%s votes are left, want 10", got)
	}
}

// TestFullDiskRefusesVotesUntilThereIsRoom holds that a vote is refused when the disk is full, that nothing acknowledged is lost,
// and that Redis works again when it is started on a disk with room, as its restart policy does again and again.
func TestFullDiskRefusesVotesUntilThereIsRoom(t *testing.T) {
	disk := t.TempDir()
	if output, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted, which only root may: %v: %s", err, output)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "--lazy", disk).Run() }) // in the test's folder; nothing depends on it
	server := startRedis(t, disk)
	queue := openQueue(t, server, server.Password)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	var err error
	for range 200_000 {
		if err = vote(t, queue); err != nil {
			break
		}
		accepted++
	}
	if !errors.Is(err, poll.ErrUnavailable) {
		t.Fatalf("after %d votes on a disk of 2 MiB: %v, want ErrUnavailable", accepted, err)
	}
	if err := queue.CheckWritable(t.Context()); !errors.Is(err, poll.ErrUnavailable) {
		t.Errorf("with a full disk the queue is healthy: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually.Succeeds(t, 20*time.Second, "votes are taken again", func() error {
		if server.Ended() { // as its restart policy does
			if err := server.TryRestart(); err != nil {
				return err
			}
		}
		return vote(t, queue)
	})
	got, err := strconv.Atoi(server.Do(t, "XLEN", redis.Stream))
	if err != nil || got < accepted+1 || got > accepted+3 { // the refused vote may be there
		t.Errorf("%d votes are there (%v), want the %d that were accepted and one more", got, err, accepted)
	}
}

// TestRedisForgetsWhatIsStored holds that its file loses a deleted entry once it has grown by a megabyte.
func TestRedisForgetsWhatIsStored(t *testing.T) {
	server := startRedis(t, "")
	const voter = "a voter who was stored"
	inFile := func() (found bool) {
		t.Helper()
		err := filepath.WalkDir(server.Directory, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return nil // a rewrite removes files
			}
			content, err := os.ReadFile(path)
			found = found || err == nil && strings.Contains(string(content), voter)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	store := func(value string) {
		t.Helper()
		server.Do(t, "XADD", "votes", "1-1", "vote", value)
		server.Do(t, "DEL", "votes")
	}
	if store(voter); !inFile() {
		t.Fatal("the file never had the entry")
	}
	for range 20 {
		store(strings.Repeat("x", 64<<10))
	}
	eventually.Succeeds(t, 20*time.Second, "the file without the entry", func() error {
		if inFile() {
			return errors.New("it has it")
		}
		return nil
	})
}

// TestComposeRunsRedisAsTheClusterDoes holds that compose.yaml starts it with the same settings.
func TestComposeRunsRedisAsTheClusterDoes(t *testing.T) {
	text, err := os.ReadFile("../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct{ Command []string }
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	want := []string{"redis-server", "/run/secrets/redis.conf"}
	for _, line := range redisSettings("always") {
		name, value, _ := strings.Cut(line, " ")
		want = append(want, "--"+name, value)
	}
	if got := compose.Services["redis"].Command; !slices.Equal(got, want) {
		t.Errorf("compose.yaml runs %q, want %q", got, want)
	}
}
