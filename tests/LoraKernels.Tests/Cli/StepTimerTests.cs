using LoraKernels.Cli.Commands.Demo;
using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

[TestFixture]
public sealed class StepTimerTests
{
    [Test]
    public void StepsAlternateAndSlowOnesStillRunOnce()
    {
        List<string> order = [];
        TimedStep[] steps = [new("a", () => order.Add("a")), new("b", () => order.Add("b"))];

        (TimeSpan[] medians, int rounds) = StepTimer.Measure(
            steps, wantedRounds: 3, TimeSpan.Zero, ceiling: TimeSpan.Zero, static (_, _) => { }, CancellationToken.None);

        Assert.That(rounds, Is.EqualTo(1));
        Assert.That(medians, Has.Length.EqualTo(2));
        Assert.That(string.Concat(order), Is.EqualTo("ab"));
    }

    [Test]
    public void TheWantedRoundsAreRunBeyondTheBudgetButNoMore()
    {
        List<string> order = [];
        TimedStep[] steps = [new("a", () => order.Add("a")), new("b", () => order.Add("b"))];

        (_, int rounds) = StepTimer.Measure(
            steps, wantedRounds: 3, TimeSpan.Zero, ceiling: TimeSpan.MaxValue, static (_, _) => { }, CancellationToken.None);

        Assert.That(rounds, Is.EqualTo(3));
        Assert.That(string.Concat(order), Is.EqualTo("ababab"));
    }
}
