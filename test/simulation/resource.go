package simulation

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// Package describes one provider: its resource types and its functions.
type Package struct {
	// Name is the provider's package name, such as "aws".
	Name string
	// Version is the version the provider reports, such as "6.83.4".
	Version string
	// Resources are the resource types it knows. Any other type is an error.
	Resources []*Resource
	// Functions are the invokes it knows, by token.
	Functions map[string]Function
}

// Function answers an invoke of a provider with that configuration. Both come
// without secret markers. An error is what the program's call returns.
type Function func(w *World, config, args resource.PropertyMap) (resource.PropertyMap, error)

// Resource describes one resource type by data. Property names are the
// provider's own, top level, in the spelling of Pulumi's schema.
type Resource struct {
	// Token is the type's token, such as "aws:ec2/instance:Instance".
	Token string

	// Required names the inputs without which Check fails.
	Required []string
	// Defaults are the values Check gives to inputs left out.
	Defaults map[string]any
	// Secret names the inputs that are secret whether the program says so or not.
	Secret []string
	// AutoName is the input that Check fills with the resource's name and a
	// random suffix when it is left out. When it is given, a replacement
	// deletes first, as in the Terraform bridge: two objects cannot have one
	// name.
	AutoName string
	// Check inspects and completes the inputs, which may be unknown in part.
	// It may change c.Inputs.
	Check func(c *Call) []plugin.CheckFailure

	// Replace names the inputs whose change replaces the resource. Any other
	// changed input updates it.
	Replace []string
	// ReplaceIf decides for one changed input where a name is not enough.
	ReplaceIf func(input string, olds, news resource.PropertyMap) bool

	// Outputs are the values the provider computes, beside the inputs that it
	// returns as they are.
	Outputs []Output
	// ID names a new object; by default IDPrefix and 17 random hexadecimal
	// digits, as EC2 does.
	ID func(c *Call) string
	// IDPrefix is the prefix of a default ID, such as "vpc-".
	IDPrefix string
	// PerMachine is true where an ID is unique on one machine only, as a
	// volume's name is.
	PerMachine bool

	// Times are how long the operations take in reality.
	Times Times
	// Run does the operation's own work. It returns further outputs and how
	// long it takes instead of Times, 0 for Times.
	Run func(c *Call) (resource.PropertyMap, time.Duration, error)

	// Dials returns the hosts an operation has to reach, none by default, and
	// the error a dead host causes.
	Dials func(c *Call) []Dial
	// On returns the addresses or names of the machine that an object lives on.
	// When that machine is deleted, the object vanishes with no call to its
	// provider.
	On func(c *Call) []string
	// Machine marks a type whose objects are machines, on which others live.
	Machine bool
	// Addresses returns the addresses and names under which a machine is known.
	Addresses func(o *Object) []string

	// Claims are the names or addresses an object takes for itself alone.
	Claims func(c *Call) []Claim
	// Refers names the inputs that hold IDs of other objects of the package:
	// they must exist when the object is created.
	Refers []string
	// Holds names those of Refers that keep the object referred to from being
	// deleted.
	Holds []string
	// InUse says whether another object keeps this one from being deleted.
	InUse func(c *Call, other *Object) error
	// Missing is the error of deleting what is gone. Without it, such a delete
	// succeeds.
	Missing func(c *Call) error
	// Untracked is true for a type whose provider does not look at the world on
	// Read and returns the state that it was given.
	Untracked bool
}

// Output is one computed output of a resource type.
type Output struct {
	// Name is the output's name. When an input of this name is given, that
	// value is the output and nothing is computed.
	Name string
	// Value computes it; the result is anything resource.NewPropertyValue takes.
	Value func(c *Call) any
	// Follows names the inputs whose change makes the output unknown in the
	// preview of an update and computes it again in the update; "*" is any
	// input. Without it the output keeps its value.
	Follows []string
}

// Times are the durations of a type's operations in reality. A read takes no time.
type Times struct{ Create, Update, Delete time.Duration }

// Claim is something that only one object at a time may have.
type Claim struct {
	// Key identifies what is claimed.
	Key string
	// Taken is the error of a second claim, as the real provider words it.
	Taken error
	// Adopts is for a provider that takes over an object which is already as asked for: an object with the same Key and Adopts
	// gives way. Empty: no object does.
	Adopts string
}

// Dial is a host that an operation has to reach.
type Dial struct {
	// Host is an address or a name.
	Host string
	// Failed is the error when it does not answer.
	Failed error
}

// Call is one operation on one resource, as the data of its type sees it.
type Call struct {
	World *World
	// Op is the operation.
	Op Operation
	// Preview is true when nothing may happen yet.
	Preview bool
	// Provider is the configuration of the provider instance, without secret markers.
	Provider resource.PropertyMap
	// URN and Name identify the resource.
	URN  resource.URN
	Name string
	// ID is empty in Check and Create.
	ID resource.ID
	// Inputs are the inputs, without secret markers except in Check.
	Inputs resource.PropertyMap
	// OldInputs and OldOutputs are those of the existing object, if any,
	// without secret markers.
	OldInputs, OldOutputs resource.PropertyMap
}

// Text returns the string at a path of the inputs: object keys (string) and
// array indices (int). It is empty when there is no string there.
func (c *Call) Text(path ...any) string { return text(c.Inputs, path...) }

// text returns the string at a path below properties, or "".
func text(properties resource.PropertyMap, path ...any) string {
	value, ok := resource.PropertyPath(path).Get(resource.NewObjectProperty(properties))
	if !ok {
		return ""
	}
	value = plain(value)
	if !value.IsString() {
		return ""
	}
	return value.StringValue()
}

// truth returns the boolean at a path below properties, or false.
func truth(properties resource.PropertyMap, path ...any) bool {
	value, ok := resource.PropertyPath(path).Get(resource.NewObjectProperty(properties))
	value = plain(value)
	return ok && value.IsBool() && value.BoolValue()
}

// texts returns every string in a property, at whatever depth of arrays.
func texts(value resource.PropertyValue) []string {
	value = plain(value)
	switch {
	case value.IsString():
		return []string{value.StringValue()}
	case value.IsArray():
		var all []string
		for _, element := range value.ArrayValue() {
			all = append(all, texts(element)...)
		}
		return all
	}
	return nil
}

// plain removes the secret markers from a value, at every depth.
func plain(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret():
		return plain(value.SecretValue().Element)
	case value.IsOutput():
		output := value.OutputValue()
		if !output.Known {
			return resource.MakeComputed(resource.NewStringProperty(""))
		}
		return plain(output.Element)
	case value.IsArray():
		elements := make([]resource.PropertyValue, len(value.ArrayValue()))
		for i, element := range value.ArrayValue() {
			elements[i] = plain(element)
		}
		return resource.NewArrayProperty(elements)
	case value.IsObject():
		return resource.NewObjectProperty(plainMap(value.ObjectValue()))
	}
	return value
}

// plainMap removes the secret markers from a map's values.
func plainMap(properties resource.PropertyMap) resource.PropertyMap {
	if properties == nil {
		return nil
	}
	result := make(resource.PropertyMap, len(properties))
	for key, value := range properties {
		result[key] = plain(value)
	}
	return result
}
