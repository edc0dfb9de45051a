//! Stories about towns that leave: until the day all goes on, from then on nobody gets anything of them but what they said at
//! last, and whoever was away learns it later from anybody.

use ortsnetz_model::FeedId;
use ortsnetz_sync::{Alarm, Event, PublishError};
use ortsnetz_trust::identity::Farewell;

use crate::stories::{MINUTE, text};
use crate::world::World;

const DAY: u64 = 24 * 60 * MINUTE;

/// A town says that it leaves so many milliseconds from now; `None` takes it back.
fn leaves(world: &mut World, town: usize, ahead: Option<u64>) {
    let root = world.towns[town].root.clone();
    let identity = world.towns[town].identity.clone();
    let signed = match ahead {
        Some(ahead) => {
            let from = world.now + ahead;
            let farewell = Farewell { from, keep_days: 30, telephone: "115".into(), note: String::new() };
            identity.leave(farewell, world.now, &root)
        }
        None => identity.stay(world.now, &root),
    };
    world.state(town, signed.expect("a farewell"));
}

/// Whether a machine knows that a town has left.
fn knows(world: &World, machine: usize, town: usize) -> bool {
    let identity = world.machines[machine].disk.identities.get(&world.towns[town].id);
    identity.is_some_and(|identity| identity.has_left(world.now))
}

fn holds(world: &World, machine: usize, feed: FeedId) -> bool {
    world.machines[machine].engine.as_ref().is_some_and(|engine| engine.feed(&feed).is_some())
}

fn in_sync(world: &World, machine: usize) -> bool {
    let peers = world.machines[machine].engine.as_ref().map(ortsnetz_sync::Engine::peers).unwrap_or_default();
    !peers.is_empty() && peers.iter().all(|peer| peer.in_sync && peer.behind == 0 && peer.ahead == 0)
}

#[test]
fn a_town_leaves_on_its_day_and_whoever_was_away_learns_it_from_somebody_else() {
    let mut world = World::new(71);
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| world.town(name));
    for (one, other) in [(a, b), (b, c), (b, d), (a, d)] {
        world.partners(one, other);
    }
    world.run(2000);
    let feed = world.feed(a, "public");
    let first = world.publish(a, feed, &["vorher"]);
    world.run(MINUTE);
    leaves(&mut world, a, Some(2 * DAY));
    world.run(MINUTE);
    // Until the day everything goes on, also over a relay.
    let second = world.publish(a, feed, &["noch dabei"]);
    world.run(DAY);
    for machine in [b, c, d] {
        assert!(text(&world, machine, feed, second[0]).is_some(), "{machine} reads on");
        assert!(!knows(&world, machine, a));
        let leaving = world.machines[machine].disk.identities[&world.towns[a].id].leaving().cloned();
        assert_eq!(leaving.map(|leaving| leaving.telephone).as_deref(), Some("115"), "and was warned");
    }
    world.crash(d);
    world.run(DAY + MINUTE);

    // The day has come, and nothing more was said.
    assert!(knows(&world, b, a) && knows(&world, c, a));
    world.refused.clear();
    let third = world.publish(a, feed, &["zu spät"]);
    world.run(MINUTE);
    assert_eq!(world.refused, [PublishError::Left]);
    assert!(text(&world, b, feed, first[0]).is_some(), "what was read stays for a while");
    assert!(text(&world, b, feed, third[0]).is_none());
    // Nobody passes it on: a new partner of a relay hears that it left, and gets nothing else.
    let e = world.town("e");
    world.partners(b, e);
    world.run(MINUTE);
    assert!(!holds(&world, e, feed) && text(&world, e, feed, first[0]).is_none());
    assert!(knows(&world, e, a), "a relay tells it");
    // No feed is called stale for what does not come.
    world.run(3 * DAY);
    for machine in [b, c, e] {
        assert_eq!(world.alarms(machine, |alarm| matches!(alarm, Alarm::Stale { feed: it } if *it == feed)), 0);
    }

    // The town is gone; who was away all the time learns it from a partner.
    world.crash(a);
    world.start(d);
    world.run(MINUTE);
    assert!(knows(&world, d, a), "b tells it");
    assert!(in_sync(&world, d) && in_sync(&world, b) && in_sync(&world, c));

    // The term is over: b and c forget. Nobody gives it back to them, whoever still holds it.
    for machine in [b, c] {
        let organisation = world.towns[a].id;
        world.tell(machine, Event::Forget { organisation });
        world.machines[machine].disk.records.retain(|(of, _), _| *of != feed);
        world.machines[machine].disk.markers.remove(&feed);
        assert!(!holds(&world, machine, feed));
        assert_eq!(world.machines[machine].engine.as_ref().map(|engine| engine.entries_of(&organisation)), Some(0));
    }
    world.drop_lines(b);
    world.run(MINUTE);
    world.start(a);
    world.run(5 * MINUTE);
    assert!(!holds(&world, b, feed) && !holds(&world, c, feed) && holds(&world, d, feed));
    assert!(in_sync(&world, b) && in_sync(&world, c) && in_sync(&world, d));
    world.assert_quiet();
}

#[test]
fn who_left_gets_nothing_of_others_and_its_own_back_as_long_as_it_is_held() {
    let mut world = World::new(72);
    let [a, b] = ["a", "b"].map(|name| world.town(name));
    world.partners(a, b);
    world.run(2000);
    let (ours, theirs) = (world.feed(a, "public"), world.feed(b, "public"));
    let entries = world.publish(a, ours, &["unser Text"]);
    world.run(MINUTE);
    leaves(&mut world, a, Some(MINUTE));
    world.run(2 * MINUTE);
    let news = world.publish(b, theirs, &["nur noch für andere"]);
    world.run(5 * MINUTE);
    assert!(text(&world, a, theirs, news[0]).is_none(), "it takes part no more");
    assert!(in_sync(&world, a) && in_sync(&world, b));
    // It loses its disk, and fetches back what it published.
    world.lose(a, ours, entries[0]);
    world.run(5 * MINUTE);
    assert!(text(&world, a, ours, entries[0]).is_some_and(|text| text.ends_with(b"unser Text")));
}

#[test]
fn a_town_that_stays_after_all_takes_part_as_before() {
    let mut world = World::new(73);
    let [a, b] = ["a", "b"].map(|name| world.town(name));
    world.partners(a, b);
    world.run(2000);
    let feed = world.feed(a, "public");
    leaves(&mut world, a, Some(DAY));
    world.run(MINUTE);
    leaves(&mut world, a, None);
    world.run(2 * DAY);
    let entries = world.publish(a, feed, &["doch noch da"]);
    world.run(MINUTE);
    assert!(text(&world, b, feed, entries[0]).is_some());
    // Forgotten is only who left.
    let organisation = world.towns[a].id;
    world.tell(b, Event::Forget { organisation });
    assert!(holds(&world, b, feed));
    world.assert_converged();
    world.assert_quiet();
}
