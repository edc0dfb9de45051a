//! The small table of the demo region, so that a first try needs no import.

use ortsnetz_model::Ars;

use super::{District, Places};

/// Municipalities as in the official list (Destatis, Gemeindeverzeichnis 2020, dl-de/by-2-0) with their postal codes
/// (OpenStreetMap contributors, ODbL).
const TABLE: &str = "\
ars,name,land,kreis,einwohner,lon,lat,plz_alle\n\
053150000000,\"Köln, Stadt\",Nordrhein-Westfalen,\"Köln, Stadt\",1087863,6.957068,50.938107,50667 50668 50670 \
50672 50674 50676 50677 50678 50679 50733 50735 50737 50739 50765 50767 50769 50823 50825 50827 50829 50858 \
50859 50931 50933 50935 50937 50939 50968 50969 50996 50997 50999 51061 51063 51065 51067 51069 51103 51105 \
51107 51109 51143 51145 51147 51149 51467\n\
053140000000,\"Bonn, Stadt\",Nordrhein-Westfalen,\"Bonn, Stadt\",329673,7.099187,50.734245,53111 53113 53115 \
53117 53119 53121 53123 53125 53127 53129 53173 53175 53177 53179 53225 53227 53229\n\
053160000000,\"Leverkusen, Stadt\",Nordrhein-Westfalen,\"Leverkusen, Stadt\",163729,6.979767,51.03245,51371 \
51373 51375 51377 51379 51381\n\
053820060060,\"Siegburg, Stadt\",Nordrhein-Westfalen,Rhein-Sieg-Kreis,41554,7.2049,50.796665,53721\n\
053620028028,\"Hürth, Stadt\",Nordrhein-Westfalen,Rhein-Erft-Kreis,59731,6.865451,50.869481,50354\n\
091620000000,\"München, Landeshauptstadt\",Bayern,\"München, \
Landeshauptstadt\",1484226,11.575997,48.137683,80313 80331 80333 80335 80336 80337 80339 80469 80538 80539 \
80634 80636 80637 80638 80639 80686 80687 80689 80796 80797 80798 80799 80801 80802 80803 80804 80805 80807 \
80809 80933 80935 80937 80939 80992 80993 80995 80997 80999 81241 81243 81245 81247 81249 81369 81371 81373 \
81375 81377 81379 81475 81476 81477 81479 81539 81541 81543 81545 81547 81549 81667 81669 81671 81673 81675 \
81677 81679 81735 81737 81739 81825 81827 81829 81925 81927 81929 85540\n";

/// Districts and larger parts by municipality.
const DISTRICTS: [(&str, &str); 6] = [
    ("053150000000", "Innenstadt, Rodenkirchen, Lindenthal, Ehrenfeld, Nippes, Chorweiler, Porz, Kalk, Mülheim"),
    ("053140000000", "Bonn, Bad Godesberg, Beuel, Hardtberg"),
    (
        "053160000000",
        "Alkenrath, Bergisch Neukirchen, Bürrig, Hitdorf, Küppersteg, Lützenkirchen, Manfort, Opladen, Quettingen, \
         Rheindorf, Schlebusch, Steinbüchel, Waldsiedlung, Wiesdorf",
    ),
    ("053820060060", "Brückberg, Deichhaus, Kaldauen, Seligenthal, Stallberg, Wolsdorf, Zange"),
    (
        "053620028028",
        "Alstädten-Burbach, Alt-Hürth, Berrenrath, Efferen, Fischenich, Gleuel, Hermülheim, Kalscheuren, Kendenich, \
         Knapsack, Sielsdorf, Stotzheim",
    ),
    (
        "091620000000",
        "Altstadt-Lehel, Ludwigsvorstadt-Isarvorstadt, Maxvorstadt, Schwabing-West, Au-Haidhausen, Sendling, \
         Sendling-Westpark, Schwanthalerhöhe, Neuhausen-Nymphenburg, Moosach, Milbertshofen-Am Hart, \
         Schwabing-Freimann, Bogenhausen, Berg am Laim, Trudering-Riem, Ramersdorf-Perlach, Obergiesing-Fasangarten, \
         Untergiesing-Harlaching, Thalkirchen-Obersendling-Forstenried-Fürstenried-Solln, Hadern, Pasing-Obermenzing, \
         Aubing-Lochhausen-Langwied, Allach-Untermenzing, Feldmoching-Hasenbergl, Laim",
    ),
];

/// The built-in table.
pub(super) fn places() -> Places {
    // A table that cannot be read is a mistake in this file; the test below finds it.
    let mut places = Places::read_csv(TABLE.as_bytes()).map(|imported| imported.places).unwrap_or_default();
    for (ars, names) in DISTRICTS {
        if let Ok(ars) = ars.parse::<Ars>() {
            let district = |name: &str| District { name: name.trim().to_owned(), postal_codes: Vec::new() };
            places.set_districts(ars, &names.split(',').map(district).collect::<Vec<_>>());
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_place() {
        let imported = Places::read_csv(TABLE.as_bytes()).unwrap();
        assert_eq!(imported.rejected, []);
        assert_eq!(imported.municipalities, 6);
        for (ars, names) in DISTRICTS {
            let place = places().by_ars(&ars.parse().unwrap()).unwrap();
            assert!(names.contains(", ") && !place.postal_codes.is_empty(), "{}", place.name);
        }
    }
}
