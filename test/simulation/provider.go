package simulation

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// provider is one instance of a package's provider, as one provider resource of
// a program has it. The Pulumi engine reaches each over a connection of its own.
type provider struct {
	plugin.UnimplementedProvider

	world    *World
	pkg      *Package
	config   resource.PropertyMap
	running  context.Context
	shutdown context.CancelFunc
}

func newProvider(w *World, pkg *Package) *provider {
	running, shutdown := context.WithCancel(context.Background())
	return &provider{world: w, pkg: pkg, running: running, shutdown: shutdown}
}

// Attach implements plugin.GrpcProvider; there is nothing to tell the Pulumi engine.
func (p *provider) Attach(string) error { return nil }

// Close stops what is under way.
func (p *provider) Close() error {
	p.shutdown()
	return nil
}

// SignalCancellation stops what is under way.
func (p *provider) SignalCancellation(context.Context) error {
	p.shutdown()
	return nil
}

// Handshake tells the Pulumi engine that secrets may arrive as secrets.
func (p *provider) Handshake(
	context.Context, plugin.ProviderHandshakeRequest,
) (*plugin.ProviderHandshakeResponse, error) {
	return &plugin.ProviderHandshakeResponse{AcceptSecrets: true}, nil
}

// GetPluginInfo reports the package's version.
func (p *provider) GetPluginInfo(context.Context) (plugin.PluginInfo, error) {
	version, err := semver.Parse(p.pkg.Version)
	if err != nil {
		return plugin.PluginInfo{}, fmt.Errorf("simulated package %s has version %q: %w", p.pkg.Name, p.pkg.Version, err)
	}
	return plugin.PluginInfo{Version: &version}, nil
}

// GetSchema returns a schema with nothing but the package's name.
func (p *provider) GetSchema(context.Context, plugin.GetSchemaRequest) (plugin.GetSchemaResponse, error) {
	schema, err := json.Marshal(map[string]string{"name": p.pkg.Name, "version": p.pkg.Version})
	return plugin.GetSchemaResponse{Schema: schema}, err
}

// CheckConfig takes any configuration.
func (p *provider) CheckConfig(
	_ context.Context, req plugin.CheckConfigRequest,
) (plugin.CheckConfigResponse, error) {
	return plugin.CheckConfigResponse{Properties: req.News}, nil
}

// DiffConfig compares configurations. No change replaces a provider. So a docker
// provider's resources stay when its host changes.
func (p *provider) DiffConfig(
	_ context.Context, req plugin.DiffConfigRequest,
) (plugin.DiffConfigResponse, error) {
	return difference(req.OldInputs, req.NewInputs, func(string) bool { return false }), nil
}

// Configure keeps the configuration for the operations that look at it.
func (p *provider) Configure(
	_ context.Context, req plugin.ConfigureRequest,
) (plugin.ConfigureResponse, error) {
	p.config = plainMap(req.Inputs)
	return plugin.ConfigureResponse{}, nil
}

// kind returns the description of a resource's type.
func (p *provider) kind(urn resource.URN) (*Resource, error) {
	for _, r := range p.pkg.Resources {
		if r.Token == string(urn.Type()) {
			return r, nil
		}
	}
	return nil, fmt.Errorf("the simulated %s provider has no resource type %s: describe it in package simulation",
		p.pkg.Name, urn.Type())
}

// call gathers what the data of a type may look at.
func (p *provider) call(op Operation, urn resource.URN, preview bool) *Call {
	return &Call{
		World: p.world, Op: op, Preview: preview, Provider: p.config, URN: urn, Name: urn.Name(),
	}
}

// Check completes and validates the inputs.
func (p *provider) Check(_ context.Context, req plugin.CheckRequest) (plugin.CheckResponse, error) {
	kind, err := p.kind(req.URN)
	if err != nil {
		return plugin.CheckResponse{}, err
	}
	inputs := req.News.Copy()
	for name, value := range kind.Defaults {
		key := resource.PropertyKey(name)
		if !inputs.HasValue(key) {
			inputs[key] = resource.NewPropertyValue(value)
		}
	}
	if kind.AutoName != "" {
		autoName(kind.AutoName, req.URN.Name(), req.Olds, inputs, req.RandomSeed)
	}
	for _, name := range kind.Secret {
		key := resource.PropertyKey(name)
		if value, ok := inputs[key]; ok && !value.IsSecret() && !value.IsComputed() {
			inputs[key] = resource.MakeSecret(value)
		}
	}
	var failures []plugin.CheckFailure
	for _, name := range kind.Required {
		if !inputs.HasValue(resource.PropertyKey(name)) {
			failures = append(failures, plugin.CheckFailure{
				Property: resource.PropertyKey(name),
				Reason:   fmt.Sprintf("missing required property %q", name),
			})
		}
	}
	c := p.call(Check, req.URN, req.AllowUnknowns)
	c.Inputs = inputs
	if kind.Check != nil {
		failures = append(failures, kind.Check(c)...)
	}
	return plugin.CheckResponse{Properties: c.Inputs, Failures: failures}, nil
}

// defaultsKey is where the Terraform bridge notes which inputs it chose itself.
const defaultsKey = resource.PropertyKey("__defaults")

// autoName fills in a name that the program left to the provider: the old one
// if there is one, or the resource's name and seven hexadecimal digits.
func autoName(property, name string, olds, inputs resource.PropertyMap, seed []byte) {
	key := resource.PropertyKey(property)
	if inputs.HasValue(key) {
		return
	}
	inputs[key] = resource.NewStringProperty(name + "-" + hexDigits(seed, 7))
	if slices.Contains(texts(olds[defaultsKey]), property) {
		inputs[key] = olds[key]
	}
	inputs[defaultsKey] = resource.NewArrayProperty([]resource.PropertyValue{resource.NewStringProperty(property)})
}

// hexDigits returns n hexadecimal digits made of a seed, or random without one.
func hexDigits(seed []byte, n int) string {
	if len(seed) < (n+1)/2 {
		seed = make([]byte, (n+1)/2)
		_, _ = rand.Read(seed) // crypto/rand.Read never fails.
	}
	return hex.EncodeToString(seed)[:n]
}

// Diff compares old inputs with new ones.
func (p *provider) Diff(_ context.Context, req plugin.DiffRequest) (plugin.DiffResponse, error) {
	kind, err := p.kind(req.URN)
	if err != nil {
		return plugin.DiffResponse{}, err
	}
	olds, news := plainMap(req.OldInputs), plainMap(req.NewInputs)
	result := difference(olds, news, func(input string) bool {
		return slices.Contains(kind.Replace, input) ||
			kind.ReplaceIf != nil && kind.ReplaceIf(input, olds, news)
	})
	if result.Replace() {
		result.DeleteBeforeReplace = sameName(kind.AutoName, olds, news)
	}
	return result, nil
}

// sameName says whether a replacement would have the name its predecessor has.
func sameName(property string, olds, news resource.PropertyMap) bool {
	if property == "" || slices.Contains(texts(news[defaultsKey]), property) {
		return false
	}
	key := resource.PropertyKey(property)
	return news.HasValue(key) && news[key].DeepEquals(olds[key])
}

// difference compares inputs, apart from the bridge's own notes; replaces says
// of a top-level input whether its change needs a new object.
func difference(olds, news resource.PropertyMap, replaces func(input string) bool) plugin.DiffResult {
	internal := func(key resource.PropertyKey) bool { return strings.HasPrefix(string(key), "__") }
	changed := plainMap(olds).Diff(plainMap(news), internal)
	if changed == nil {
		return plugin.DiffResult{Changes: plugin.DiffNone}
	}
	result := plugin.DiffResult{
		Changes:      plugin.DiffSome,
		ChangedKeys:  changed.ChangedKeys(),
		DetailedDiff: plugin.NewDetailedDiffFromObjectDiff(changed, true),
	}
	for path, diff := range result.DetailedDiff {
		keys, err := resource.ParsePropertyPath(path)
		if err != nil || len(keys) == 0 {
			continue
		}
		if input, ok := keys[0].(string); ok && replaces(input) {
			result.DetailedDiff[path] = diff.ToReplace()
		}
	}
	return result
}

// Create makes an object, or in a preview says what is known of it.
func (p *provider) Create(_ context.Context, req plugin.CreateRequest) (plugin.CreateResponse, error) {
	kind, err := p.kind(req.URN)
	if err != nil {
		return plugin.CreateResponse{}, err
	}
	c := p.call(Create, req.URN, req.Preview)
	c.Inputs = plainMap(req.Properties)

	var response plugin.CreateResponse
	err = p.perform(c, kind, kind.Times.Create, func(work func() (resource.PropertyMap, error)) error {
		if c.Preview {
			response.Properties = preview(kind, req.Properties, nil, nil)
			return nil
		}
		made := &Object{Type: kind.Token, URN: req.URN, kind: kind}
		if err := p.place(made, c); err != nil {
			return err
		}
		outputs, err := p.fill(c, kind, req.Properties, work)
		if err != nil {
			p.world.mu.Lock()
			defer p.world.mu.Unlock()
			p.world.remove(made)
			return err
		}
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		made.Inputs, made.Outputs = req.Properties, outputs
		if kind.Machine {
			for _, address := range kind.Addresses(made) {
				delete(p.world.departed, address)
			}
		}
		response.ID, response.Properties = made.ID, outputs
		return nil
	})
	return response, err
}

// place puts a new object into the world, with its ID and what it claims, so
// that a second one that claims the same fails from now on.
func (p *provider) place(made *Object, c *Call) error {
	kind := made.kind
	if kind.ID != nil {
		made.ID = resource.ID(kind.ID(c))
	} else {
		made.ID = resource.ID(kind.IDPrefix + hexDigits(nil, 17))
	}
	c.ID = made.ID

	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, property := range kind.Refers {
		for _, id := range texts(c.Inputs[resource.PropertyKey(property)]) {
			if !slices.ContainsFunc(w.objects, func(o *Object) bool { return o.ID == resource.ID(id) }) {
				return fmt.Errorf("%s %q of %s: the ID %q does not exist", property, id, c.Name, id)
			}
		}
	}
	made.Machine = w.place(kind, c)
	if kind.Claims != nil {
		if err := w.claim(made, kind.Claims(c)); err != nil {
			return err
		}
	}
	made.Inputs = c.Inputs
	w.objects = append(w.objects, made)
	return nil
}

// fill does an operation's work and returns all outputs: the inputs, secret
// where they are, and the computed ones.
func (p *provider) fill(
	c *Call, kind *Resource, inputs resource.PropertyMap, work func() (resource.PropertyMap, error),
) (resource.PropertyMap, error) {
	extra, err := work()
	if err != nil {
		return nil, err
	}
	outputs := visible(inputs)
	for _, output := range kind.Outputs {
		key := resource.PropertyKey(output.Name)
		if inputs.HasValue(key) {
			continue
		}
		old, had := c.OldOutputs[key]
		_, wasInput := c.OldInputs[key]
		if had && !wasInput && !output.follows(c.OldInputs, c.Inputs) {
			outputs[key] = old
			continue
		}
		if output.Value != nil {
			outputs[key] = resource.NewPropertyValue(output.Value(c))
		}
	}
	maps.Copy(outputs, extra)
	return outputs, nil
}

// follows says whether a change of inputs changes the output.
func (o Output) follows(olds, news resource.PropertyMap) bool {
	for _, name := range o.Follows {
		if name == "*" {
			if olds.Diff(news) != nil {
				return true
			}
			continue
		}
		key := resource.PropertyKey(name)
		if !olds[key].DeepEquals(news[key]) {
			return true
		}
	}
	return false
}

// visible returns the inputs that are outputs too: all but the bridge's notes.
func visible(inputs resource.PropertyMap) resource.PropertyMap {
	outputs := resource.PropertyMap{}
	for key, value := range inputs {
		if !strings.HasPrefix(string(key), "__") {
			outputs[key] = value
		}
	}
	return outputs
}

// preview returns what is known before the fact: the inputs, and of the
// computed outputs those that an update leaves alone.
func preview(kind *Resource, inputs, oldInputs, oldOutputs resource.PropertyMap) resource.PropertyMap {
	outputs := visible(inputs)
	for _, output := range kind.Outputs {
		key := resource.PropertyKey(output.Name)
		if inputs.HasValue(key) {
			continue
		}
		old, had := oldOutputs[key]
		_, wasInput := oldInputs[key]
		if had && !wasInput && !output.follows(plainMap(oldInputs), plainMap(inputs)) {
			outputs[key] = old
		} else {
			outputs[key] = resource.MakeComputed(resource.NewStringProperty(""))
		}
	}
	return outputs
}

// Read returns what the world has.
func (p *provider) Read(_ context.Context, req plugin.ReadRequest) (plugin.ReadResponse, error) {
	kind, err := p.kind(req.URN)
	if err != nil {
		return plugin.ReadResponse{}, err
	}
	c := p.call(Read, req.URN, false)
	c.ID = req.ID
	c.Inputs, c.OldInputs, c.OldOutputs = plainMap(req.Inputs), plainMap(req.Inputs), plainMap(req.State)

	response := plugin.ReadResponse{ReadResult: plugin.ReadResult{ID: req.ID, Inputs: req.Inputs, Outputs: req.State}}
	err = p.perform(c, kind, 0, func(func() (resource.PropertyMap, error)) error {
		if kind.Untracked {
			return nil
		}
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		found := p.world.locate(kind, c)
		if found == nil {
			response.ReadResult = plugin.ReadResult{}
			return nil
		}
		response.Inputs, response.Outputs = found.Inputs, found.Outputs
		return nil
	})
	return response, err
}

// Update changes an object in place.
func (p *provider) Update(_ context.Context, req plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	kind, err := p.kind(req.URN)
	if err != nil {
		return plugin.UpdateResponse{}, err
	}
	c := p.call(Update, req.URN, req.Preview)
	c.ID = req.ID
	c.Inputs, c.OldInputs, c.OldOutputs = plainMap(req.NewInputs), plainMap(req.OldInputs), plainMap(req.OldOutputs)

	var response plugin.UpdateResponse
	err = p.perform(c, kind, kind.Times.Update, func(work func() (resource.PropertyMap, error)) error {
		if c.Preview {
			response.Properties = preview(kind, req.NewInputs, req.OldInputs, req.OldOutputs)
			return nil
		}
		w := p.world
		w.mu.Lock()
		changed := w.locate(kind, c)
		if changed == nil && !kind.Untracked {
			w.mu.Unlock()
			return fmt.Errorf("%s %q: %w; run `pulumi refresh`", kind.Token, req.ID, errNotFound)
		}
		if changed == nil {
			// A command does not look for what it did before. It runs on
			// whatever machine answers now.
			changed = &Object{Type: kind.Token, ID: req.ID, URN: req.URN, kind: kind}
			w.objects = append(w.objects, changed)
		}
		changed.Machine = w.place(kind, c)
		if kind.Claims != nil {
			if err := w.claim(changed, kind.Claims(c)); err != nil {
				w.mu.Unlock()
				return err
			}
		}
		w.mu.Unlock()

		outputs, err := p.fill(c, kind, req.NewInputs, work)
		if err != nil {
			return err
		}
		for key, value := range req.OldOutputs {
			// A kept output keeps its secret marker.
			if outputs.HasValue(key) && value.IsSecret() && !outputs[key].IsSecret() {
				outputs[key] = resource.MakeSecret(outputs[key])
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		changed.Inputs, changed.Outputs = req.NewInputs, outputs
		response.Properties = outputs
		return nil
	})
	return response, err
}

// Delete removes an object. One that is gone already is no error.
func (p *provider) Delete(_ context.Context, req plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	kind, err := p.kind(req.URN)
	if err != nil {
		return plugin.DeleteResponse{}, err
	}
	c := p.call(Delete, req.URN, false)
	c.ID = req.ID
	c.Inputs, c.OldInputs, c.OldOutputs = plainMap(req.Inputs), plainMap(req.Inputs), plainMap(req.Outputs)

	return plugin.DeleteResponse{}, p.perform(c, kind, kind.Times.Delete, func(work func() (resource.PropertyMap, error)) error {
		w := p.world
		w.mu.Lock()
		gone := w.locate(kind, c)
		if gone == nil && !kind.Untracked {
			w.mu.Unlock()
			if kind.Missing != nil {
				return kind.Missing(c)
			}
			return nil
		}
		for _, o := range w.objects {
			if gone != nil && kind.InUse != nil && o != gone && o.Machine == gone.Machine {
				if err := kind.InUse(c, o); err != nil {
					w.mu.Unlock()
					return err
				}
			}
			for _, property := range o.kind.Holds {
				if o != gone && slices.Contains(texts(o.Inputs[resource.PropertyKey(property)]), string(req.ID)) {
					w.mu.Unlock()
					return fmt.Errorf("DependencyViolation: %s %q has a dependent object (%s %q) and cannot be deleted",
						kind.Token, req.ID, o.Type, o.ID)
				}
			}
		}
		w.mu.Unlock()
		if _, err := work(); err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if gone != nil {
			w.remove(gone)
		}
		return nil
	})
}

// perform runs one operation with everything around it: the faults to come, the
// hosts that must answer and the record. It hands do the operation's work, which
// is the type's Run and the time that it takes.
func (p *provider) perform(
	c *Call, kind *Resource, took time.Duration, do func(work func() (resource.PropertyMap, error)) error,
) error {
	record := Record{URN: c.URN, Type: kind.Token, Name: c.Name, Op: c.Op, Start: time.Now()}
	err := func() error {
		if !c.Preview {
			if err := p.world.trip(c.URN, kind.Token, c.Op); err != nil {
				return err
			}
		}
		if kind.Dials != nil {
			for _, dial := range kind.Dials(c) {
				if dial.Host == "" {
					continue
				}
				p.world.mu.Lock()
				answers := p.world.reachable(dial.Host)
				p.world.mu.Unlock()
				if !answers {
					return dial.Failed
				}
			}
		}
		return do(func() (resource.PropertyMap, error) {
			var extra resource.PropertyMap
			if kind.Run != nil {
				outputs, instead, err := kind.Run(c)
				if instead > 0 {
					took = instead
				}
				if err != nil {
					return nil, err
				}
				extra = outputs
			}
			record.Took = took
			return extra, p.world.elapse(p.running, took)
		})
	}()
	if !c.Preview && c.Op != Read {
		record.ID, record.End, record.Err = c.ID, time.Now(), err
		p.world.record(record)
		if err == nil {
			p.world.done(c.URN, kind.Token, c.Op)
		}
	}
	return err
}

// Invoke answers a function call of the program.
func (p *provider) Invoke(_ context.Context, req plugin.InvokeRequest) (plugin.InvokeResponse, error) {
	function, ok := p.pkg.Functions[string(req.Tok)]
	if !ok {
		return plugin.InvokeResponse{}, fmt.Errorf(
			"the simulated %s provider has no function %s: describe it in package simulation", p.pkg.Name, req.Tok)
	}
	result, err := function(p.world, p.config, plainMap(req.Args))
	return plugin.InvokeResponse{Properties: result}, err
}

var _ plugin.GrpcProvider = (*provider)(nil)
