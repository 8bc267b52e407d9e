package e2e_test

// legacyObjects are there before a request adopts them. The request's offering has them, with fewer keys.
const legacyObjects = `apiVersion: v1
kind: ConfigMap
metadata: {name: legacy-settings, labels: {app: legacy}}
data: {image: found, color: red, dropped: kept}
---
apiVersion: v1
kind: Service
metadata: {name: legacy, labels: {app: legacy, owner: nobody}}
spec:
  selector: {app: legacy}
  ports: [{name: http, port: 80, targetPort: 8080}]
`

// dnsObjects are a cluster's own.
const dnsObjects = `apiVersion: v1
kind: ConfigMap
metadata: {name: coredns}
data: {Corefile: ".:53 { errors }", image: found}
`

// badInProd patches an image that no sandbox can pull.
const badInProd = `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: Deployment}
  patch: |
    - {op: add, path: /spec/progressDeadlineSeconds, value: 5}
    - {op: add, path: /spec/template/spec/containers/-, value: {name: metrics, image: 'registry.acme.example/metrics:broken'}}
`

// crowdOfferings are those of the generated platform. All fields that a format may change are in them: selectors of all kinds, of the
// own pods and of pods that others make, names as written, objects of the cluster, nulls and a status in a manifest.
const crowdOfferings = `
-- offerings/settings/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: settings}
spec: {title: Settings, description: A config map., owner: platform}
-- offerings/settings/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: settings}
spec: {parameters: {type: object, properties: {image: {type: string, default: none}}}}
-- offerings/settings/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [configmap.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.image}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.image]}]
-- offerings/settings/1.0.0/configmap.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {image: none, build: one}
-- offerings/web/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: web}
spec: {title: Web, description: A server., owner: platform}
-- offerings/web/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: web}
spec:
  parameters: {type: object, properties: {image: {type: string, default: none}}}
  outputs: [{name: host, value: '"%s-web.%s.svc".format([request.name, namespace])'}]
-- offerings/web/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [deployment.yaml, service.yaml, more.yaml]
configMapGenerator: [{name: web, literals: [color=green]}]
replacements:
- source: {kind: Inputs, fieldPath: parameters.image}
  targets: [{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.[name=app].image']}]
-- offerings/web/1.0.0/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}, creationTimestamp: null}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  strategy: {}
  template:
    metadata: {labels: {app: web}, creationTimestamp: null}
    spec:
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - {weight: 1, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}}
        podAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - {weight: 1, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: database}}}}
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
      containers:
      - {name: app, image: none, resources: {}, envFrom: [{configMapRef: {name: web}}]}
status: {}
-- offerings/web/1.0.0/service.yaml --
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
-- offerings/web/1.0.0/more.yaml --
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {podSelector: {matchLabels: {app: proxy}}}]}]
  egress: [{to: [{namespaceSelector: {matchLabels: {kind: data}}, podSelector: {matchLabels: {app: database}}}]}]
-- offerings/operated/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: operated}
spec: {title: Operated, description: What stands before pods that an operator makes., owner: platform}
-- offerings/operated/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: operated}
spec: {parameters: {type: object, properties: {image: {type: string, default: none}}}}
-- offerings/operated/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
-- offerings/operated/1.0.0/all.yaml --
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {selector: {operator.acme.example/database: main}, ports: [{port: 5432}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: database}
spec: {minAvailable: 0, selector: {matchLabels: {operator.acme.example/database: main}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: database}
spec: {podSelector: {matchLabels: {operator.acme.example/database: main}}, policyTypes: [Ingress]}
-- offerings/shared/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: shared}
spec: {title: Shared, description: Names as they are written., owner: platform}
-- offerings/shared/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: shared}
spec: {names: verbatim, parameters: {type: object, properties: {image: {type: string, default: none}}}}
-- offerings/shared/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
-- offerings/shared/1.0.0/all.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: shared-worker}
spec:
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: app, image: 'registry.acme.example/worker:1'}]}
---
apiVersion: v1
kind: Service
metadata: {name: shared-worker}
spec: {selector: {app: worker}, ports: [{port: 80}]}
-- offerings/legacy/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: legacy}
spec: {title: Legacy, description: What was there before., owner: platform}
-- offerings/legacy/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: legacy}
spec: {names: verbatim, parameters: {type: object, properties: {image: {type: string, default: none}}}}
-- offerings/legacy/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
replacements:
- source: {kind: Inputs, fieldPath: parameters.image}
  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.image]}]
-- offerings/legacy/1.0.0/all.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: legacy-settings, labels: {app: legacy}}
data: {image: none, color: blue}
---
apiVersion: v1
kind: Service
metadata: {name: legacy, labels: {app: legacy}}
spec: {selector: {app: legacy}, ports: [{name: http, port: 80, targetPort: 8080}]}
-- offerings/access/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: access}
spec: {title: Access, description: Lets the monitoring in., owner: platform}
-- offerings/access/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: access}
spec: {parameters: {type: object, properties: {image: {type: string, default: none}}}}
-- offerings/access/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
-- offerings/access/1.0.0/all.yaml --
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: 'system:serviceaccount:monitoring:prometheus'}]
-- offerings/dns/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: dns}
spec: {title: DNS, description: The cluster's own., owner: platform}
-- offerings/dns/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: dns}
spec: {scope: cluster, parameters: {type: object, properties: {image: {type: string, default: none}}}}
-- offerings/dns/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [configmap.yaml]
-- offerings/dns/1.0.0/configmap.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns, namespace: kube-system}
data: {Corefile: ".:53 { errors health }"}
-- offerings/rules/offering.yaml --
apiVersion: transom.dev/v1alpha1
kind: Offering
metadata: {name: rules}
spec: {title: Rules, description: Of the whole cluster., owner: platform}
-- offerings/rules/1.0.0/version.yaml --
apiVersion: transom.dev/v1alpha1
kind: Version
metadata: {name: rules}
spec: {scope: cluster, parameters: {type: object, properties: {image: {type: string, default: none}}}}
-- offerings/rules/1.0.0/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [all.yaml]
-- offerings/rules/1.0.0/all.yaml --
apiVersion: v1
kind: Namespace
metadata: {name: monitoring, labels: {kind: data}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: acme-reader, labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}}
rules: [{apiGroups: [acme.example], resources: ['*'], verbs: [get]}]
`
