package lab

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestStockImagesAreThoseOfTheSettings(t *testing.T) {
	var names []string
	for _, image := range StockImages() {
		tag, err := name.NewTag(image, name.StrictValidation)
		if err != nil {
			tag, err = name.NewTag(image)
		}
		if err != nil || tag.TagStr() == "latest" {
			t.Errorf("%s is not a pinned image (%v)", image, err)
		}
		names = append(names, tag.RepositoryStr())
	}
	want := []string{"hashicorp/consul", "library/haproxy", "ehazlett/interlock", "library/postgres", "library/redis", "library/swarm"}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the mirror has %q, want %q", names, want)
	}
}

func TestUncompressedIsTheSameImage(t *testing.T) {
	image := randomImage(t)
	plain, err := uncompressed(image)
	if err != nil {
		t.Fatal(err)
	}
	wantID, wantErr := image.ConfigName()
	if id, err := plain.ConfigName(); err != nil || wantErr != nil || id != wantID {
		t.Errorf("its id is %s, want %s", id, wantID)
	}
	layers, err := plain.Layers()
	if err != nil {
		t.Fatal(err)
	}
	originals, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != len(originals) {
		t.Fatalf("it has %d layers, want %d", len(layers), len(originals))
	}
	for i, layer := range layers {
		kind, err := layer.MediaType()
		if err != nil || kind != types.DockerUncompressedLayer {
			t.Errorf("layer %d is of type %s (%v)", i, kind, err)
		}
		offered, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		original, err := originals[i].Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, offered), read(t, original); got != want {
			t.Errorf("layer %d has %d bytes, want those %d of the original", i, len(got), len(want))
		}
	}
}

func read(t *testing.T, from io.ReadCloser) string {
	t.Helper()
	content, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	_ = from.Close()
	return string(content)
}

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(5000, 3)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestImageIsTakenFromTheEngineWhenItChanges(t *testing.T) {
	l := New(Options{Folder: t.TempDir()})
	tag, err := name.NewTag("redis:7.2.16")
	if err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "saved")
	folder, err := openLayout(l.imagesFolder())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		id   string // the image's on the engine; empty: the engine has no such image
		want bool   // whether the image is taken
	}{{"sha256:one", true}, {"sha256:one", false}, {"sha256:two", true}, {"", false}} {
		if err := tarball.WriteToFile(saved, tag, randomImage(t)); err != nil {
			t.Fatal(err)
		}
		fakeDocker(t, `"image inspect"*) test -n "`+step.id+`" && echo "`+step.id+`" ;; save*) cp `+saved+` "$3" ;;`)
		changed, err := l.fetchImage(t.Context(), folder, "redis:7.2.16")
		if err != nil || changed != step.want {
			t.Errorf("with %q in the engine it is taken: %v (%v), want %v", step.id, changed, err, step.want)
		}
	}
	kept, err := layout.FromPath(l.imagesFolder())
	if err != nil {
		t.Fatal(err)
	}
	index, err := kept.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	content, err := index.IndexManifest()
	if err != nil || len(content.Manifests) != 1 {
		t.Errorf("the folder has %d images (%v), want the last one alone", len(content.Manifests), err)
	}
	if _, err := os.Stat(filepath.Join(l.Folder(), "saved.tar")); !os.IsNotExist(err) {
		t.Errorf("docker's archive is still there (%v)", err)
	}
}

func TestImagesThatNobodyHasAreMissing(t *testing.T) {
	fakeDocker(t, `"image inspect"*redis*) echo sha256:one ;; *) exit 1 ;;`)
	missing := New(Options{Folder: t.TempDir()}).missingImages(t.Context())
	if len(missing) != len(StockImages())-1 {
		t.Errorf("%d images are missing, want all but redis:\n%s", len(missing), strings.Join(missing, "\n"))
	}
	for _, line := range missing {
		if strings.Contains(line, "redis") || !strings.Contains(line, "docker load") {
			t.Errorf("a line is %q", line)
		}
	}
}
