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

// TestOtherImagesAreServed holds that an image in place of a default is kept, looked for, and in the stack's settings.
func TestOtherImagesAreServed(t *testing.T) {
	for _, test := range []struct {
		name           string
		asked          map[string]string
		variable, file string
		want           string // the database's image; empty: the default
		fault          string
	}{
		{"a new lab", nil, "", "", "", ""},
		{"the variable", nil, "patroni:1", "", "patroni:1", ""},
		{"as last time", nil, "", `{"postgresImage": "patroni:1"}`, "patroni:1", ""},
		{"the variable before last time", nil, "patroni:2", `{"postgresImage": "patroni:1"}`, "patroni:2", ""},
		{"the option before both", map[string]string{"postgresImage": "mine/patroni:3"}, "patroni:2", `{"postgresImage": "patroni:1"}`, "mine/patroni:3", ""},
		{"another setting", map[string]string{"optionA": "tea:1"}, "", "", "", "optionA is not the setting of an image: use consulImage, haproxyImage"},
		{"no image", nil, "Patroni", "", "", "postgresImage: "},
		{"another registry", nil, "ghcr.io/mine/patroni:1", "", "", "give it a name without a registry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("POSTGRES_IMAGE", test.variable)
			folder := t.TempDir()
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(folder, "lab.json"), []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l := New(Options{Folder: folder, Images: test.asked})
			if test.fault != "" {
				if missing := l.Missing(t.Context()); len(missing) != 1 || !strings.Contains(missing[0], test.fault) {
					t.Errorf("missing %q, want %q", missing, test.fault)
				}
				return
			}
			if l.fault != nil {
				t.Fatal(l.fault)
			}
			if err := l.writePlan(); err != nil {
				t.Fatal(err)
			}
			t.Setenv("POSTGRES_IMAGE", "")
			for what, lab := range map[string]*Lab{"now": l, "when it is opened again": New(Options{Folder: folder})} {
				images := lab.allImages()
				value, set := lab.Config()["postgresImage"]
				if set != (test.want != "") || set && value != test.want {
					t.Errorf("%s the setting is %v, want %q", what, value, test.want)
				}
				want := StockImages()
				if test.want != "" {
					want[slices.Index(imageKeys(), "postgresImage")] = test.want
				}
				if !slices.Equal(images, want) {
					t.Errorf("%s the mirror serves %q, want %q", what, images, want)
				}
			}
			calls := fakeDocker(t, `"image inspect"*) echo sha256:one ;;`)
			l.missingImages(t.Context())
			if image := l.allImages()[slices.Index(imageKeys(), "postgresImage")]; !slices.Contains(calls(), "image inspect --format {{.Id}} "+image) {
				t.Errorf("nobody looks for %s:\n%s", image, strings.Join(calls(), "\n"))
			}
		})
	}
}

// TestMirrorTakesOtherImages holds that the mirror fetches the image that was asked for. The first one cannot be saved here.
func TestMirrorTakesOtherImages(t *testing.T) {
	fakeDocker(t, `"image inspect"*) echo sha256:one ;; save*) exit 1 ;;`)
	l := New(Options{Folder: t.TempDir(), Images: map[string]string{imageKeys()[0]: "mine/first:1"}})
	if _, err := l.fetchImages(t.Context()); err == nil || !strings.Contains(err.Error(), "fetching the image mine/first:1") {
		t.Errorf("the mirror's images: %v, want mine/first:1 as the first", err)
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
