using Microsoft.AspNetCore.Components;

namespace Session.Orleans.ConsolePage.Components;

/// <summary>
/// A component that shows its parameters and what its own events change: it is rendered anew only if a parameter differs, as its type compares,
/// from what it was. Blazor by itself knows that of text and numbers alone, and renders whatever else takes part in a page every time.
/// </summary>
public abstract class PureComponent : ComponentBase
{
    private readonly List<object?> _shown = [];
    private bool _isShown;

    /// <inheritdoc/>
    public override Task SetParametersAsync(ParameterView parameters)
    {
        var differs = !_isShown;
        _isShown = true;
        var place = 0;
        foreach (var parameter in parameters) // always in the order in which the page names them
        {
            if (place == _shown.Count)
            {
                _shown.Add(parameter.Value);
                differs = true;
            }
            else if (!Equals(_shown[place], parameter.Value))
            {
                _shown[place] = parameter.Value;
                differs = true;
            }

            place++;
        }

        return differs ? base.SetParametersAsync(parameters) : Task.CompletedTask;
    }
}
