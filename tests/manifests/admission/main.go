// Admission answers what an API server makes of pods, by the admission plugins of the API server itself.
//
// It reads a JSON object from standard input: "objects" are policies, bindings and namespaces, "pods" the
// pods that somebody wants to create, and "webhook" a container that a webhook puts before all others
// after the policies, upon which they are run once more. It prints a list with one answer for each pod: the pod as it would
// be stored, or the error with which it is refused.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes/scheme"
)

// How long the plugins may take to know all objects.
const patience = 60 * time.Second

type question struct {
	Objects []json.RawMessage `json:"objects"`
	Pods    []corev1.Pod      `json:"pods"`
	Webhook *corev1.Container `json:"webhook"`
}

type answer struct {
	Pod   *corev1.Pod `json:"pod,omitempty"`
	Error string      `json:"error,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "admission:", err)
		os.Exit(1)
	}
}

func run() error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return fmt.Errorf("cannot read the question: %w", err)
	}
	objects, err := decode(asked.Objects)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	plugins, err := start(ctx, objects)
	if err != nil {
		return err
	}
	answers := make([]answer, len(asked.Pods))
	for i := range asked.Pods {
		pod := &asked.Pods[i]
		if err := plugins.create(ctx, pod, asked.Webhook); err != nil {
			answers[i].Error = err.Error()
		} else {
			answers[i].Pod = pod
		}
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func decode(texts []json.RawMessage) ([]runtime.Object, error) {
	objects := make([]runtime.Object, 0, len(texts))
	for _, text := range texts {
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("cannot read an object: %w", err)
		}
		setDefaults(object)
		objects = append(objects, object)
	}
	return objects, nil
}

// create changes the pod as the mutating plugins do, and says whether the validating ones refuse it.
func (p *plugins) create(ctx context.Context, pod *corev1.Pod, webhook *corev1.Container) error {
	kind := corev1.SchemeGroupVersion.WithKind("Pod")
	resource := corev1.SchemeGroupVersion.WithResource("pods")
	attributes := admission.NewAttributesRecord(
		pod, nil, kind, pod.Namespace, pod.Name, resource, "", admission.Create, nil, false, &user.DefaultInfo{Name: "test"})
	if err := p.mutate(ctx, attributes); err != nil {
		return err
	}
	again := attributes.GetReinvocationContext()
	if webhook != nil {
		pod.Spec.InitContainers = append([]corev1.Container{*webhook}, pod.Spec.InitContainers...)
		pod.Spec.Containers = append([]corev1.Container{*webhook}, pod.Spec.Containers...)
		again.SetShouldReinvoke()
	}
	if again.ShouldReinvoke() {
		again.SetIsReinvoke()
		if err := p.mutate(ctx, attributes); err != nil {
			return err
		}
	}
	return p.validating.Validate(ctx, attributes, p.interfaces)
}

func (p *plugins) mutate(ctx context.Context, attributes admission.Attributes) error {
	for {
		err := p.mutating.Admit(ctx, attributes, p.interfaces)
		// The schema of a pod is loaded in the background.
		if !apierrors.IsServiceUnavailable(err) || ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
