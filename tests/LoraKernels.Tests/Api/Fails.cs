using NUnit.Framework;
using NUnit.Framework.Constraints;

namespace LoraKernels.Tests.Api;

/// <summary>The two ways in which calls of the API fail that every test of it asks for.</summary>
internal static class Fails
{
    public static IResolveConstraint With(LoraKernelsStatus status) =>
        Throws.TypeOf<LoraKernelsException>().With.Property(nameof(LoraKernelsException.Status)).EqualTo(status);

    /// <param name="name">The public type that the exception names.</param>
    public static IResolveConstraint AsDisposed(string name) =>
        Throws.TypeOf<ObjectDisposedException>()
            .With.Property(nameof(ObjectDisposedException.ObjectName)).EqualTo(name);
}
