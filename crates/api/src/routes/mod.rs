//! The resources under `/api/v1`; each handler asks the node one question.

mod agreements;
mod answers;
mod collections;
mod contacts;
mod entries;
mod entry;
mod events;
mod feedback;
mod keepers;
mod nodes;
mod partners;
mod places;
mod proposals;
mod reports;
mod search;
mod settlements;
mod status;
mod transfer;

pub(crate) use search::checked as checked_search;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// All of them.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(status::doctor))
        .routes(routes!(status::publisher))
        .routes(routes!(status::take_publisher))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::renew))
        .routes(routes!(nodes::revoke))
        .routes(routes!(nodes::succeed))
        .routes(routes!(nodes::farewell, nodes::leave))
        .routes(routes!(nodes::judge))
        .routes(routes!(status::write_sheet))
        .routes(routes!(status::check_sheet))
        .routes(routes!(status::rotate))
        .routes(routes!(status::store_check))
        .routes(routes!(status::store_export))
        .routes(routes!(status::backup))
        .routes(routes!(status::store_compact))
        .routes(routes!(keepers::list, keepers::add))
        .routes(routes!(keepers::remove))
        .routes(routes!(keepers::send))
        .routes(routes!(keepers::fetch))
        .routes(routes!(keepers::allow, keepers::deny))
        .routes(routes!(search::search))
        .routes(routes!(places::find))
        .routes(routes!(places::table))
        .routes(routes!(places::show))
        .routes(routes!(answers::answers))
        .routes(routes!(answers::notices))
        .routes(routes!(agreements::list, agreements::propose))
        .routes(routes!(agreements::show))
        .routes(routes!(agreements::sign))
        .routes(routes!(agreements::decline))
        .routes(routes!(agreements::end))
        .routes(routes!(feedback::list, feedback::add))
        .routes(routes!(feedback::show))
        .routes(routes!(feedback::answer))
        .routes(routes!(feedback::withdraw))
        .routes(routes!(proposals::list, proposals::propose))
        .routes(routes!(proposals::show))
        .routes(routes!(proposals::decide))
        .routes(routes!(proposals::withdraw))
        .routes(routes!(proposals::source, proposals::take_source))
        .routes(routes!(feedback::tasks))
        .routes(routes!(feedback::confirm))
        .routes(routes!(contacts::list, contacts::add))
        .routes(routes!(contacts::undo))
        .routes(routes!(contacts::reverse))
        .routes(routes!(contacts::follow_ups))
        .routes(routes!(contacts::done))
        .routes(routes!(contacts::call))
        .routes(routes!(contacts::import))
        .routes(routes!(reports::month))
        .routes(routes!(reports::gaps))
        .routes(routes!(reports::mayor))
        .routes(routes!(settlements::list))
        .routes(routes!(settlements::show))
        .routes(routes!(settlements::propose))
        .routes(routes!(settlements::object))
        .routes(routes!(settlements::answer))
        .routes(routes!(settlements::sign))
        .routes(routes!(settlements::export))
        .routes(routes!(feedback::mail))
        .routes(routes!(feedback::test_mail))
        .routes(routes!(entries::list, entries::create))
        .routes(routes!(entries::publish_many))
        .routes(routes!(entries::conflicts))
        .routes(routes!(entry::show, entry::patch))
        .routes(routes!(entry::history))
        .routes(routes!(entry::receipt))
        .routes(routes!(entry::publish))
        .routes(routes!(entry::withdraw))
        .routes(routes!(entry::redact))
        .routes(routes!(entry::redaction))
        .routes(routes!(entry::undo))
        .routes(routes!(entry::move_entry))
        .routes(routes!(entry::adopt))
        .routes(routes!(entry::resolve))
        .routes(routes!(partners::list))
        .routes(routes!(partners::show, partners::remove))
        .routes(routes!(partners::confirm))
        .routes(routes!(partners::compare))
        .routes(routes!(partners::invite))
        .routes(routes!(partners::join))
        .routes(routes!(collections::list, collections::create))
        .routes(routes!(collections::show, collections::change))
        .routes(routes!(collections::grant))
        .routes(routes!(collections::narrow))
        .routes(routes!(collections::end))
        .routes(routes!(collections::seen_by))
        .routes(routes!(collections::readable))
        .routes(routes!(collections::follow))
        .routes(routes!(transfer::import))
        .routes(routes!(transfer::export))
        .routes(routes!(places::import))
        .routes(routes!(places::fetch))
        .routes(routes!(events::events))
}
