//! Traces: spans from the request's head to the record's apply, sampled, and sent to a collector by OTLP over HTTP.
//!
//! The systems speak `tracing` and know nothing of this. A request's span joins the trace that its caller names
//! (W3C Trace Context), and what is asked on its behalf is told the same.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use decalog_gateway::trace::TraceContext;
use decalog_outbound::{Calling, Client, OutboundError};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// How long the last delivery, when the server stops, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The collector cannot be called.
    #[error("telemetry.traces.endpoint: {0}")]
    Client(#[from] OutboundError),
    /// The exporter refuses what it was given.
    #[error("telemetry.traces.endpoint: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// Sends spans until it is dropped; what is left is sent then.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends to this collector (`http://collector:4318/v1/traces`), whose host calls may reach whatever it is, one trace in `one_in`, and those that a caller has begun
    /// and sampled. Spans are sent in the background; when the collector is slow or gone they are dropped.
    pub fn start(
        endpoint: &str,
        one_in: u32,
        version: &'static str,
        mut calling: Calling,
        runtime: Handle,
    ) -> Result<Self, TracesError> {
        let patience = calling.policy.timeout;
        calling.guard = calling.guard.naming(endpoint)?;
        let client = calling.client("traces")?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Courier { client, runtime })
            .with_endpoint(endpoint)
            .with_timeout(patience)
            .build()?;
        let share = 1.0 / f64::from(one_in.max(1));
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", "decalog"),
                KeyValue::new("service.version", version),
            ])
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    /// What hands the product's own spans over, down to the apply of a record.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("decalog"));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("decalog"))
            .with_threads(false)
            .with_location(false)
            .with_filter(ours)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // A collector that is gone at the end gets nothing more.
        let _ = self.0.shutdown_with_timeout(PATIENCE);
    }
}

/// Puts a request's span into its caller's trace; says which place it has, if traces are sent.
pub(crate) fn join(span: &Span, parent: Option<TraceContext>) -> Option<TraceContext> {
    if span.is_disabled() {
        return None;
    }
    if let Some(parent) = parent {
        let (trace, at, sampled) = parent.ids();
        let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let remote =
            SpanContext::new(TraceId::from(trace), SpanId::from(at), flags, true, TraceState::default());
        // A span that nobody sends has no place to put it.
        let _ = span.set_parent(Context::new().with_remote_span_context(remote));
    }
    let context = span.context();
    let own = context.span().span_context().clone();
    own.is_valid().then(|| {
        let trace = u128::from_be_bytes(own.trace_id().to_bytes());
        TraceContext::new(trace, u64::from_be_bytes(own.span_id().to_bytes()), own.is_sampled())
    })
}

/// Carries the exporter's requests on the server's own runtime: the exporter's thread has none.
struct Courier {
    client: Client,
    runtime: Handle,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Courier")
    }
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.send(request).await?;
            let mut response = Response::new(answer.body);
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok::<_, HttpError>(response)
        });
        sent.await?
    }
}
