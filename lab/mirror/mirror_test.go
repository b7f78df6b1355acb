package mirror_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"swarm-scale/lab/mirror"
)

// images makes a folder with one image of that name.
func images(t *testing.T, name string) (string, v1.Image) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "images")
	folder, err := layout.Write(path, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	image, err := random.Image(1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.AppendImage(image, layout.WithAnnotations(map[string]string{mirror.NameAnnotation: name})); err != nil {
		t.Fatal(err)
	}
	return path, image
}

func TestClientsOnlyPull(t *testing.T) {
	path, image := images(t, "library/redis:7.2.16")
	handler, err := mirror.New(path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/library/redis:7.2.16")
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(tag)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := pulled.Layers()
	if err != nil || len(layers) != 3 {
		t.Errorf("it has %d layers, want 3 (%v)", len(layers), err)
	}
	for i, layer := range layers {
		content, err := layer.Compressed()
		if err == nil {
			_, err = io.Copy(io.Discard, content) // checks the digest
		}
		if err != nil {
			t.Errorf("layer %d: %v", i, err)
		}
	}
	got, err := pulled.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := image.Digest(); err != nil || got != want {
		t.Errorf("the image that is pulled is %s, want %s (%v)", got, want, err)
	}

	for _, test := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/v2/", http.StatusOK},
		{http.MethodGet, "/v2/library/redis/manifests/7.2.4", http.StatusNotFound},
		{http.MethodGet, "/v2/library/postgres/manifests/16.4", http.StatusNotFound},
		{http.MethodDelete, "/v2/library/redis/manifests/7.2.16", http.StatusMethodNotAllowed},
		{http.MethodPost, "/v2/library/redis/blobs/uploads/", http.StatusMethodNotAllowed},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != test.want {
			t.Errorf("%s %s answers %d, want %d", test.method, test.path, answer.StatusCode, test.want)
		}
	}
}

func TestBadFoldersAreRefused(t *testing.T) {
	unnamed, _ := images(t, "redis")
	damaged, image := images(t, "library/redis:7.2.16")
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(damaged, "blobs", "sha256", digest.Hex)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, folder, want string }{
		{"none", filepath.Join(t.TempDir(), "none"), "none"},
		{"an image without a tag", unnamed, "has no name and tag"},
		{"an image that is gone", damaged, "library/redis:7.2.16"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := mirror.New(test.folder); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
