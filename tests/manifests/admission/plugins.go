package main

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/openapi/openapitest"
)

// plugins are those of an API server that knows some objects and nothing else.
type plugins struct {
	mutating   admission.MutationInterface
	validating admission.ValidationInterface
	interfaces admission.ObjectInterfaces
}

// wants is what an API server gives to both plugins.
type wants interface {
	SetEnabled(bool)
	SetExternalKubeClientSet(kubernetes.Interface)
	SetExternalKubeInformerFactory(informers.SharedInformerFactory)
	SetDynamicClient(dynamic.Interface)
	SetRESTMapper(meta.RESTMapper)
	SetDrainedNotification(<-chan struct{})
	SetUnconditionalAuthorizer(authorizer.UnconditionalAuthorizer)
	ValidateInitialization() error
}

func start(ctx context.Context, objects []runtime.Object) (*plugins, error) {
	if err := addIdentity(scheme.Scheme); err != nil {
		return nil, err
	}
	mutator, err := mutating.NewPlugin(nil)
	if err != nil {
		return nil, err
	}
	validator, err := validating.NewPlugin(nil)
	if err != nil {
		return nil, err
	}
	client := server{fake.NewClientset(objects...)}
	factory := informers.NewSharedInformerFactory(client, 0)
	for _, plugin := range []wants{mutator, validator} {
		plugin.SetEnabled(true)
		plugin.SetExternalKubeClientSet(client)
		plugin.SetExternalKubeInformerFactory(factory)
		plugin.SetDynamicClient(dynamicfake.NewSimpleDynamicClient(scheme.Scheme))
		plugin.SetRESTMapper(meta.NewDefaultRESTMapper(nil))
		plugin.SetDrainedNotification(ctx.Done())
		plugin.SetUnconditionalAuthorizer(authorizerfactory.NewAlwaysAllowAuthorizer())
		if err := plugin.ValidateInitialization(); err != nil {
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	if !mutator.WaitForReady() || !validator.WaitForReady() {
		return nil, errors.New("the plugins did not get ready")
	}
	return &plugins{
		mutating:   mutator,
		validating: validator,
		interfaces: admission.NewObjectInterfacesFromScheme(scheme.Scheme),
	}, nil
}

// addIdentity lets pods be converted to the one version that there is.
func addIdentity(scheme *runtime.Scheme) error {
	return scheme.AddConversionFunc((*corev1.Pod)(nil), (*corev1.Pod)(nil), func(from, to any, _ conversion.Scope) error {
		from.(*corev1.Pod).DeepCopyInto(to.(*corev1.Pod))
		return nil
	})
}

// server is a client whose server knows the schema of a pod.
type server struct{ *fake.Clientset }

func (s server) Discovery() discovery.DiscoveryInterfaces {
	return schemas{s.Clientset.Discovery()}
}

type schemas struct{ discovery.DiscoveryInterfaces }

func (schemas) OpenAPIV3() openapi.Client {
	return openapitest.NewEmbeddedFileClient()
}
