//! Which secrets there are, which of them an agent wants, and what its env file then holds.

/// Marks every value, so that one that gets where it does not belong is recognised.
const MARKER: &str = "canary-7f3a";

/// The name of a secret.
pub(crate) fn name(number: usize) -> String {
    format!("secret-{number:04}")
}

/// Its value in a generation; the first is 1.
pub(crate) fn value(number: usize, generation: u32) -> String {
    format!("{MARKER}-{generation}-{number:04}")
}

/// The secrets of one agent: `each` of `all`, spread so that every secret is wanted by as many agents.
pub(crate) fn of_agent(agent: usize, each: usize, all: usize) -> Vec<usize> {
    let mut wanted: Vec<usize> = (0..each).map(|index| (agent + index * all / each) % all).collect();
    wanted.sort_unstable();
    wanted
}

/// The agent's setting `AKV_AGENT_ENV`.
pub(crate) fn setting(wanted: &[usize]) -> String {
    let bindings: Vec<String> =
        wanted.iter().map(|&number| format!("{}={}", variable(number), name(number))).collect();
    bindings.join(",")
}

/// The env file, in the format for shells.
pub(crate) fn env_file(wanted: &[usize], generation: u32) -> String {
    let line = |&number: &usize| format!("export {}='{}'\n", variable(number), value(number, generation));
    wanted.iter().map(line).collect::<Vec<_>>().concat()
}

fn variable(number: usize) -> String {
    format!("SECRET_{number:04}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_agent_wants_different_secrets_and_each_is_wanted_as_often() {
        for (each, all) in [(10, 50), (7, 50), (50, 50), (1, 3)] {
            let mut wanted = vec![0; all];
            for agent in 0..all {
                let mine = of_agent(agent, each, all);
                assert_eq!(mine.iter().collect::<BTreeSet<_>>().len(), each);
                for number in mine {
                    wanted[number] += 1;
                }
            }
            assert!(wanted.iter().all(|count| *count == each));
        }
    }

    #[test]
    fn the_env_file_has_a_line_for_each_variable_of_the_setting() {
        assert_eq!(setting(&[3, 12]), "SECRET_0003=secret-0003,SECRET_0012=secret-0012");
        let expected = "export SECRET_0003='canary-7f3a-2-0003'\nexport SECRET_0012='canary-7f3a-2-0012'\n";
        assert_eq!(env_file(&[3, 12], 2), expected);
    }
}
