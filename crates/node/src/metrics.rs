//! Numbers for Prometheus.

use crate::dto::Metric;
use crate::partners::look;
use crate::shared::{Burden, Shared, lock, read};

type Values = Vec<(Vec<(&'static str, String)>, f64)>;

/// All numbers at this moment. Blocks for a moment.
pub(crate) fn collect(shared: &Shared) -> Vec<Metric> {
    let mut all = Vec::new();
    let mut push = |name, help, kind, values: Values| all.push(Metric { name, help, kind, values });
    let one = |value: f64| -> Values { vec![(Vec::new(), value)] };
    if let Ok((peers, feeds, counters)) =
        look(shared, |engine| (engine.peers(), engine.feeds(), engine.counters().clone()))
    {
        let own = shared.own.organisation;
        let live = |ours: bool| -> f64 {
            feeds.iter().filter(|feed| (feed.feed.organisation == own) == ours).map(|feed| feed.live as f64).sum()
        };
        push(
            "ortsnetz_records_live",
            "Live records held, by origin.",
            "gauge",
            vec![(vec![("origin", "own".into())], live(true)), (vec![("origin", "replicated".into())], live(false))],
        );
        push("ortsnetz_peers_connected", "Nodes connected now.", "gauge", one(peers.len() as f64));
        let synced = peers.iter().filter(|peer| peer.in_sync).count();
        push("ortsnetz_peers_in_sync", "Connected nodes with nothing to exchange.", "gauge", one(synced as f64));
        let by_name = |value: &dyn Fn(&ortsnetz_sync::PeerStatus) -> f64| -> Values {
            peers.iter().map(|peer| (vec![("peer", shared.node_name(&peer.node))], value(peer))).collect()
        };
        push("ortsnetz_peer_behind", "Records missing here, by peer.", "gauge", by_name(&|peer| peer.behind as f64));
        push("ortsnetz_peer_ahead", "Records missing there, by peer.", "gauge", by_name(&|peer| peer.ahead as f64));
        push(
            "ortsnetz_peer_waiting_bytes",
            "Bytes received that are not stored yet, by peer.",
            "gauge",
            by_name(&|peer| peer.waiting as f64),
        );
        push(
            "ortsnetz_peer_unread_bytes",
            "Bytes on their way that the peer has not read yet, as far as is known, by peer.",
            "gauge",
            by_name(&|peer| peer.unread as f64),
        );
        for (name, help, value) in [
            ("ortsnetz_sync_frames_received_total", "Frames received.", counters.frames_in),
            ("ortsnetz_sync_bytes_received_total", "Bytes received in frames.", counters.bytes_in),
            ("ortsnetz_sync_frames_sent_total", "Frames sent.", counters.frames_out),
            ("ortsnetz_sync_bytes_sent_total", "Bytes sent in frames.", counters.bytes_out),
            ("ortsnetz_sync_records_received_total", "Records stored that came from peers.", counters.records_in),
            ("ortsnetz_sync_records_sent_total", "Records sent to peers.", counters.records_out),
            (
                "ortsnetz_sync_audits_total",
                "Audits begun because a tree differed from its signed root.",
                counters.audits,
            ),
            ("ortsnetz_sync_repaired_total", "Entries repaired by audits.", counters.repaired),
            ("ortsnetz_alarms_total", "Alarms raised.", counters.alarms),
        ] {
            push(name, help, "counter", one(value as f64));
        }
    }
    let burdens = lock(&shared.burdens).clone();
    let by_node = |value: &dyn Fn(&Burden) -> f64| -> Values {
        burdens.iter().map(|(node, burden)| (vec![("peer", shared.node_name(node))], value(burden))).collect()
    };
    push(
        "ortsnetz_peer_busy_seconds_total",
        "How long this node worked on the frames of a peer.",
        "counter",
        by_node(&|burden| burden.busy.as_secs_f64()),
    );
    push(
        "ortsnetz_peer_misbehaved_total",
        "How often a peer was cut off because it misbehaved.",
        "counter",
        by_node(&|burden| burden.misbehaved as f64),
    );
    let refused = shared.refused.load(std::sync::atomic::Ordering::Relaxed);
    push(
        "ortsnetz_nodes_refused_total",
        "Nodes turned away because they are not allowed, each at most once a minute.",
        "counter",
        one(refused as f64),
    );
    let relayed = shared.net.status().iter().filter(|(_, status)| status.relayed).count();
    push("ortsnetz_peers_relayed", "Nodes connected through a partner that relays.", "gauge", one(relayed as f64));
    if let Some(relaying) = shared.net.relaying() {
        push("ortsnetz_relay_circuits", "Circuits relayed now.", "gauge", one(relaying.circuits as f64));
        for (name, help, value) in [
            ("ortsnetz_relay_circuits_total", "Circuits opened for partners.", relaying.opened),
            ("ortsnetz_relay_refused_total", "Circuits refused or ended by a quota.", relaying.refused),
            ("ortsnetz_relay_bytes_total", "Bytes passed on between partners.", relaying.bytes),
        ] {
            push(name, help, "counter", one(value as f64));
        }
    }
    if let Ok(usage) = shared.store.usage() {
        push("ortsnetz_store_disk_bytes", "Bytes on disk.", "gauge", one(usage.disk_bytes as f64));
        push("ortsnetz_store_own_log_bytes", "Bytes of the own log.", "gauge", one(usage.own_log_bytes as f64));
        push("ortsnetz_store_payload_bytes", "Bytes of all live rows.", "gauge", one(usage.payload_bytes as f64));
        push(
            "ortsnetz_store_amplification",
            "Bytes on disk for each byte of payload.",
            "gauge",
            one(usage.amplification),
        );
    }
    push("ortsnetz_search_entries", "Entries in the search index.", "gauge", one(shared.search.entries() as f64));
    let current = f64::from(u8::from(shared.search.is_current()));
    push("ortsnetz_search_current", "1 if everything stored can be found.", "gauge", one(current));
    push("ortsnetz_partners", "Partners, confirmed or not.", "gauge", one(read(&shared.partners).len() as f64));
    all
}
