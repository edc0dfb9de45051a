//! `ortsnetz run`: the daemon.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::Path;

use ortsnetz_api::ApiConfig;
use ortsnetz_node::{Handle, NodeConfig};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::args::Run;
use crate::config::{Config, LogFormat};
use crate::datadir;
use crate::failure::Failure;

/// Overrides the log filter of the configuration.
const LOG_VARIABLE: &str = "ORTSNETZ_LOG";
/// With it in the environment TLS libraries write the keys of every session to a file.
const KEY_LOG_VARIABLE: &str = "SSLKEYLOGFILE";

/// Runs until a signal says stop.
pub(crate) fn run(data_dir: &Path, args: Run) -> Result<(), Failure> {
    if std::env::var_os(KEY_LOG_VARIABLE).is_some() {
        return Err(Failure::Usage(format!(
            "{KEY_LOG_VARIABLE} is set: the keys of every connection would be written to a file; unset it and start again"
        )));
    }
    let mut config = Config::load(args.config.as_deref(), data_dir)?;
    config.http = args.http.unwrap_or(config.http);
    if !args.listen.is_empty() {
        config.listen = args.listen;
    }
    if !args.advertise.is_empty() {
        config.advertise = args.advertise;
    }
    let address = config.http_address()?;
    let while_stdin_is_open = args.while_stdin_is_open;
    start_log(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(data_dir, config, address, while_stdin_is_open));
    // A request that did not end in time must not keep the process.
    runtime.shutdown_background();
    result
}

async fn serve(data_dir: &Path, config: Config, address: SocketAddr, while_stdin_is_open: bool) -> Result<(), Failure> {
    let signal = stop_signal()?;
    let stop = async move {
        tokio::select! {
            () = signal => (),
            () = stdin_closed(), if while_stdin_is_open => (),
        }
    };
    let backups = config.backup.schedule()?;
    let mail = config.mail.config()?;
    let listener = listen(address).await?;
    let http = listener.local_addr()?.to_string();
    let handle = Handle::start(NodeConfig {
        data_dir: data_dir.to_owned(),
        listen: config.listen,
        advertise: config.advertise,
        http: http.clone(),
        relay: config.relay.limits(),
    })
    .await?;
    if let Some(schedule) = backups {
        handle.schedule_backups(schedule);
    }
    if let Some(mail) = mail {
        handle.start_mail(&mail)?;
    }
    let served = answer(data_dir, &handle, listener, config.hosts, &http, stop).await;
    handle.shutdown().await;
    datadir::remove_http_addr(data_dir, &http);
    tracing::info!("stopped");
    served
}

async fn answer(
    data_dir: &Path,
    handle: &Handle,
    listener: TcpListener,
    hosts: Vec<String>,
    http: &str,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let (stopping, watched) = watch::channel(false);
    let config = ApiConfig { token: datadir::token(data_dir)?, hosts, stopping: watched };
    let router = ortsnetz_api::router(handle.clone(), config);
    datadir::write_http_addr(data_dir, http)?;
    tracing::info!(address = %format!("http://{http}"), data_dir = %data_dir.display(), "running");
    let stop = async move {
        stop.await;
        tracing::info!("stopping");
        stopping.send_replace(true);
    };
    Ok(ortsnetz_api::serve(listener, router, stop).await?)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program uses it; stop that one or give --http 127.0.0.1:0",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need more rights; give a higher one with --http",
            _ => "give another one with --http",
        };
        Failure::Failed(format!("could not listen on {address} ({error}): {advice}"))
    })
}

/// Done when SIGTERM or Ctrl-C arrives. Listens from now on, so that no early signal is lost.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without signals there is nothing to wait for.
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Done when standard input has ended. Reads on a thread of its own, which nobody needs to wait for.
async fn stdin_closed() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // An error is an end too.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(ended);
    });
    let _ = end.await;
}

fn start_log(config: &Config) -> Result<(), Failure> {
    let text = std::env::var(LOG_VARIABLE).ok().filter(|text| !text.is_empty());
    let text = text.unwrap_or_else(|| config.log.filter.clone());
    let filter = EnvFilter::try_new(&text)
        .map_err(|error| Failure::Usage(format!("log filter {text:?} is not understood: {error}")))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Json => log.json().init(),
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    Ok(())
}
