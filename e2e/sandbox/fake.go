package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/filters"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/util/compatibility"
	restclient "k8s.io/client-go/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	api "k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	"k8s.io/kubernetes/pkg/controlplane"
	"k8s.io/kubernetes/pkg/generated/openapi"
	"k8s.io/kubernetes/pkg/kubeapiserver"
	appsrest "k8s.io/kubernetes/pkg/registry/apps/rest"
	endpointstore "k8s.io/kubernetes/pkg/registry/core/endpoint/storage"
	podstore "k8s.io/kubernetes/pkg/registry/core/pod/storage"
	corerest "k8s.io/kubernetes/pkg/registry/core/rest"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
	"k8s.io/kubernetes/pkg/registry/core/service/portallocator"
	servicestore "k8s.io/kubernetes/pkg/registry/core/service/storage"
	eventsrest "k8s.io/kubernetes/pkg/registry/events/rest"

	"transom.dev/e2e/sandbox/memory"
)

// newFakeHandler is the handler of one API server with the code of Kubernetes': discovery, validation, field ownership, conditions of
// deletes, the formats of its answers. Its objects are in memory, those of many clusters apart: the context of a request says
// whose it is about. It serves the kinds of the groups apps and events.k8s.io, and of the core group Namespaces, ConfigMaps, Secrets,
// ServiceAccounts, Services, Pods, Events and ResourceQuotas. Nobody is refused who knows the token.
func newFakeHandler(token string) (http.Handler, error) {
	config := fakeConfig(token)
	storage := fakeStorage{factory: serverstorage.NewDefaultStorageFactory(storagebackend.Config{Prefix: "/"}, runtime.ContentTypeProtobuf, legacyscheme.Codecs,
		serverstorage.NewDefaultResourceEncodingConfigForEffectiveVersion(legacyscheme.Scheme, config.EffectiveVersion),
		config.MergedResourceConfig, kubeapiserver.SpecialDefaultResourcePrefixes)}
	config.RESTOptionsGetter = storage
	server, err := config.Complete(nil).New("fake", genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, fmt.Errorf("make the server: %w", err)
	}
	core, err := fakeCore(config.MergedResourceConfig, storage)
	if err != nil {
		return nil, fmt.Errorf("make the core group: %w", err)
	}
	if err := server.InstallLegacyAPIGroup(genericapiserver.DefaultLegacyAPIPrefix, &core); err != nil {
		return nil, fmt.Errorf("install the core group: %w", err)
	}
	for _, provider := range []interface {
		NewRESTStorage(serverstorage.APIResourceConfigSource, generic.RESTOptionsGetter) (genericapiserver.APIGroupInfo, error)
	}{appsrest.StorageProvider{}, eventsrest.RESTStorageProvider{TTL: time.Hour}} {
		group, err := provider.NewRESTStorage(config.MergedResourceConfig, storage)
		if err != nil {
			return nil, fmt.Errorf("make a group: %w", err)
		}
		if err := server.InstallAPIGroup(&group); err != nil {
			return nil, fmt.Errorf("install a group: %w", err)
		}
	}
	server.PrepareRun()
	return server.Handler, nil
}

// fakeConfig is the configuration of a server that admits whoever has the token, and all at a time.
func fakeConfig(token string) *genericapiserver.Config {
	config := genericapiserver.NewConfig(legacyscheme.Codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	config.ExternalAddress = "127.0.0.1:443"
	config.LoopbackClientConfig = &restclient.Config{}
	config.MergedResourceConfig = controlplane.DefaultAPIResourceConfigSource()
	config.MaxRequestsInFlight, config.MaxMutatingRequestsInFlight = 0, 0
	config.EnableProfiling, config.EnableMetrics = false, false
	config.LongRunningFunc = filters.BasicLongRunningRequestCheck(sets.NewString("watch"), sets.NewString())
	config.Authorization.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	config.Authentication.Authenticator = bearertoken.New(authenticator.TokenFunc(
		func(_ context.Context, given string) (*authenticator.Response, bool, error) {
			return &authenticator.Response{User: &user.DefaultInfo{Name: "admin", Groups: []string{user.SystemPrivilegedGroup, user.AllAuthenticated}}}, given == token, nil
		}))
	namer := openapinamer.NewDefinitionNamer(legacyscheme.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	return config
}

// fakeCore is the core group. Addresses and ports of Services are given out over all clusters together.
func fakeCore(enabled serverstorage.APIResourceConfigSource, storage generic.RESTOptionsGetter) (genericapiserver.APIGroupInfo, error) {
	var none genericapiserver.APIGroupInfo
	core, err := (&corerest.GenericConfig{EventTTL: time.Hour}).NewRESTStorage(enabled, storage)
	if err != nil {
		return none, err
	}
	pods, err := podstore.NewStorage(storage, nil, nil, nil, nil)
	if err != nil {
		return none, err
	}
	endpoints, err := endpointstore.NewREST(storage)
	if err != nil {
		return none, err
	}
	addresses, err := ipallocator.NewInMemory(&net.IPNet{IP: net.IPv4(10, 0, 0, 0).To4(), Mask: net.CIDRMask(12, 32)})
	if err != nil {
		return none, err
	}
	ports, err := portallocator.NewInMemory(utilnet.PortRange{Base: 30000, Size: 2768})
	if err != nil {
		return none, err
	}
	services, status, _, err := servicestore.NewREST(storage, api.IPv4Protocol, map[api.IPFamily]ipallocator.Interface{api.IPv4Protocol: addresses},
		ports, endpoints, pods.Pod, nil)
	if err != nil {
		return none, err
	}
	for name, of := range map[string]rest.Storage{"pods": pods.Pod, "pods/status": pods.Status, "services": services, "services/status": status} {
		core.VersionedResourcesStorageMap["v1"][name] = of
	}
	return core, nil
}

// fakeStorage says for each kind how it is encoded, and has its objects kept in memory.
type fakeStorage struct {
	factory *serverstorage.DefaultStorageFactory
}

// GetRESTOptions is part of generic.RESTOptionsGetter.
func (s fakeStorage) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	config, err := s.factory.NewConfig(resource, example)
	if err != nil {
		return generic.RESTOptions{}, err
	}
	return generic.RESTOptions{
		StorageConfig: config, Decorator: memory.Decorate, DeleteCollectionWorkers: 1, EnableGarbageCollection: true,
		ResourcePrefix: s.factory.ResourcePrefix(resource),
	}, nil
}
