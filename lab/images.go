package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"swarm-scale/lab/mirror"
	"swarm-scale/settings"
)

// identityAnnotation has the ID of the image on the machine's engine. A changed image has another ID.
const identityAnnotation = "swarm-scale.lab.id"

// StockImages returns the images that the mirror serves: the defaults of a stack's settings.
func StockImages() []string {
	var images []string
	for _, key := range settings.Keys() {
		if strings.HasSuffix(key, "Image") {
			images = append(images, settings.Default(key))
		}
	}
	return images
}

// fetchImages puts the stock images into the mirror's folder, from the machine's engine if it has them, or else from their registry.
// It reports whether the folder has changed.
func (l *Lab) fetchImages(ctx context.Context) (changed bool, err error) {
	folder, err := openLayout(l.imagesFolder())
	if err != nil {
		return false, err
	}
	for _, image := range StockImages() {
		fetched, err := l.fetchImage(ctx, folder, image)
		if err != nil {
			return changed, fmt.Errorf("fetching the image %s: %w", image, err)
		}
		changed = changed || fetched
	}
	return changed, nil
}

// openLayout opens an OCI image layout. If there is none, it makes an empty one.
func openLayout(path string) (layout.Path, error) {
	folder, err := layout.FromPath(path)
	if errors.Is(err, fs.ErrNotExist) {
		return layout.Write(path, empty.Index)
	}
	return folder, err
}

func (l *Lab) fetchImage(ctx context.Context, folder layout.Path, image string) (changed bool, err error) {
	tag, err := name.NewTag(image)
	if err != nil {
		return false, err
	}
	served := tag.RepositoryStr() + ":" + tag.TagStr()
	kept, err := keptIdentity(folder, served)
	if err != nil {
		return false, err
	}
	identity := l.identity(ctx, image)
	if kept != "" && (identity == kept || identity == "") {
		return false, nil
	}
	var fetched v1.Image
	if identity != "" {
		l.say("lab: taking %s from this machine's engine", image)
		saved := filepath.Join(l.folder, "saved.tar")
		defer func() { err = errors.Join(err, os.Remove(saved)) }()
		if _, err := l.docker.run(ctx, "save", "--output", saved, image); err != nil {
			return false, err
		}
		if fetched, err = tarball.ImageFromPath(saved, &tag); err == nil {
			fetched, err = uncompressed(fetched)
		}
		if err != nil {
			return false, err
		}
	} else {
		l.say("lab: pulling %s", image)
		identity = "pulled"
		if fetched, err = remote.Image(tag, remote.WithContext(ctx), remote.WithPlatform(platform())); err != nil {
			return false, err
		}
	}
	return true, folder.ReplaceImage(fetched, match.Annotation(mirror.NameAnnotation, served), layout.WithAnnotations(map[string]string{
		mirror.NameAnnotation: served, identityAnnotation: identity,
	}))
}

// identity returns the ID of an image on the machine's engine, or the empty text.
func (l *Lab) identity(ctx context.Context, image string) string {
	id, err := l.docker.run(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	if err != nil {
		return ""
	}
	return id
}

// keptIdentity returns the ID of an image when it was put into the folder, or the empty text.
func keptIdentity(folder layout.Path, served string) (string, error) {
	index, err := folder.ImageIndex()
	if err != nil {
		return "", err
	}
	content, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	for _, image := range content.Manifests {
		if image.Annotations[mirror.NameAnnotation] == served {
			return image.Annotations[identityAnnotation], nil
		}
	}
	return "", nil
}

// platform is the platform of the machine and its hosts.
func platform() v1.Platform { return v1.Platform{OS: "linux", Architecture: runtime.GOARCH} }

// registryPatience is how long a registry or a package server may take to answer.
const registryPatience = 10 * time.Second

// missingImages has a line for every stock image that neither the machine nor its registry has.
func (l *Lab) missingImages(ctx context.Context) []string {
	var missing []string
	folder, err := layout.FromPath(l.imagesFolder())
	have := err == nil
	for _, image := range StockImages() {
		tag, err := name.NewTag(image)
		if err != nil {
			missing = append(missing, fmt.Sprintf("image %s: %v", image, err))
			continue
		}
		if have {
			if kept, err := keptIdentity(folder, tag.RepositoryStr()+":"+tag.TagStr()); err == nil && kept != "" {
				continue
			}
		}
		if l.identity(ctx, image) != "" {
			continue
		}
		if err := inRegistry(ctx, tag); err != nil {
			missing = append(missing, fmt.Sprintf("image %s: neither this machine's engine nor its registry has it (%v): "+
				"docker load it, or connect this machine to the internet", image, err))
		}
	}
	return missing
}

// inRegistry returns an error unless an image's registry has it.
func inRegistry(ctx context.Context, reference name.Reference) error {
	ctx, cancel := context.WithTimeout(ctx, registryPatience)
	defer cancel()
	_, err := remote.Head(reference, remote.WithContext(ctx))
	return err
}
