package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// uncompressed returns the image with uncompressed layers. All hosts are on one machine, so compression saves no bandwidth. To
// compress the layers, and to decompress them on every host, would take most of the time of a pull.
func uncompressed(image v1.Image) (v1.Image, error) {
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	configHash, configSize, err := v1.SHA256(bytes.NewReader(config))
	if err != nil {
		return nil, err
	}
	manifest := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.DockerManifestSchema2,
		Config:        v1.Descriptor{MediaType: types.DockerConfigJSON, Size: configSize, Digest: configHash},
	}
	plain := &plainImage{config: config, layers: map[v1.Hash]plainLayer{}}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		digest, err := layer.DiffID()
		if err != nil {
			return nil, err
		}
		content, err := layer.Uncompressed()
		if err != nil {
			return nil, err
		}
		size, err := io.Copy(io.Discard, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return nil, err
		}
		plain.layers[digest] = plainLayer{layer, size}
		manifest.Layers = append(manifest.Layers, v1.Descriptor{MediaType: types.DockerUncompressedLayer, Size: size, Digest: digest})
	}
	if plain.manifest, err = json.Marshal(manifest); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(plain)
}

// plainImage implements partial.CompressedImageCore with uncompressed layers.
type plainImage struct {
	config, manifest []byte
	layers           map[v1.Hash]plainLayer
}

func (*plainImage) MediaType() (types.MediaType, error) { return types.DockerManifestSchema2, nil }
func (p *plainImage) RawConfigFile() ([]byte, error)    { return p.config, nil }
func (p *plainImage) RawManifest() ([]byte, error)      { return p.manifest, nil }
func (p *plainImage) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	layer, ok := p.layers[digest]
	if !ok {
		return nil, fmt.Errorf("the image has no layer %s", digest)
	}
	return layer, nil
}

// plainLayer implements partial.CompressedLayer with uncompressed content.
type plainLayer struct {
	layer v1.Layer
	size  int64
}

func (p plainLayer) Digest() (v1.Hash, error)           { return p.layer.DiffID() }
func (p plainLayer) Compressed() (io.ReadCloser, error) { return p.layer.Uncompressed() }
func (p plainLayer) Size() (int64, error)               { return p.size, nil }
func (plainLayer) MediaType() (types.MediaType, error)  { return types.DockerUncompressedLayer, nil }
