using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Microsoft.Extensions.Configuration;
using Session.Orleans.Grains;

namespace Session.Orleans.Silo;

/// <summary>Finds options that nobody reads: a misspelled one would otherwise be its default, and nobody would know.</summary>
internal static class OptionNames
{
    /// <summary>Checks every section of which an option is given.</summary>
    /// <exception cref="ValidationException">An option is unknown; the message names it and those that there are.</exception>
    public static void Check(IConfiguration configuration, IEnumerable<OptionSection> sections)
    {
        var known = sections.ToLookup(section => section.Name, section => section.Options, StringComparer.OrdinalIgnoreCase);
        foreach (var section in known)
        {
            PropertyInfo[] options = [.. section.SelectMany(type => type.GetProperties()).Where(IsOption)];
            var unknown = configuration.GetSection(section.Key).GetChildren().FirstOrDefault(child =>
                !known.Contains(child.Path) && !options.Any(option => option.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase)));
            if (unknown is not null)
            {
                throw new ValidationException(
                    $"There is no option {unknown.Path}; {section.Key} has {string.Join(", ", options.Select(option => option.Name).Order(StringComparer.Ordinal))}.");
            }
        }
    }

    private static bool IsOption(PropertyInfo property) => property.CanWrite || property.PropertyType.IsAssignableTo(typeof(IEnumerable));
}
