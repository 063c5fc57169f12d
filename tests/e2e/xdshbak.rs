use ::lab::Lab;
use insta::assert_snapshot;

use crate::{lab, session, write};

/// What xdsh may have printed.
fn with_output() -> Lab {
    let lab = lab();
    write(&lab, "output", "n2: up\nn1: up\nn3: down\nn1: fine\nn2: fine\nnobody\nn3:\n");
    lab
}

#[test]
fn output_is_sorted_by_node() {
    assert_snapshot!(session(&with_output(), "
        xdshbak < output
        xdshbak -x < output
    "), @"
    $ xdshbak < output
    nobody
    HOST:n1
    --------
    up
    fine

    HOST:n2
    --------
    up
    fine

    HOST:n3
    --------
    down

    $ xdshbak -x < output
    nobody
    n1: up
    n1: fine
    n2: up
    n2: fine
    n3: down
    n3: 
    ");
}

#[test]
fn equal_output_is_folded() {
    assert_snapshot!(session(&with_output(), "
        xdshbak -c < output
        xdshbak -c -n < output
        xdshbak -x -b < output
        printf '' | xdshbak -c
    "), @"
    $ xdshbak -c < output
    nobody
    HOSTS -------------------------------------------------------------------------
    n1, n2
    -------------------------------------------------------------------------------
    up
    fine

    HOSTS -------------------------------------------------------------------------
    n3
    -------------------------------------------------------------------------------
    down

    $ xdshbak -c -n < output
    nobody
    HOSTS -------------------------------------------------------------------------
    n[1-2]
    -------------------------------------------------------------------------------
    up
    fine

    HOSTS -------------------------------------------------------------------------
    n3
    -------------------------------------------------------------------------------
    down

    $ xdshbak -x -b < output
    nobody
    up
    fine
    up
    fine
    down

    $ printf '' | xdshbak -c
    ");
}

#[test]
fn shapes_that_exclude_each_other_are_refused() {
    assert_snapshot!(session(&with_output(), "
        xdshbak -c -x < output
        xdshbak -b < output
    "), @"
    $ xdshbak -c -x < output
    ------- stderr -------
    error: the argument '-c' cannot be used with '-x'

    Usage: xdshbak -c

    For more information, try '--help'.
    [exit status: 2]
    $ xdshbak -b < output
    ------- stderr -------
    error: the following required arguments were not provided:
      -x

    Usage: xdshbak -x -b

    For more information, try '--help'.
    [exit status: 2]
    ");
}
